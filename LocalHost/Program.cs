using OrdersStream.LocalHost.CommandLine;
using OrdersStream.LocalHost.Terminal;

using var signals = new StopSignals();
return await Invocation.RunAsync(args, signals.Token);
