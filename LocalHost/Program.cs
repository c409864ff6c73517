using OrdersStream.LocalHost.CommandLine;

using var signals = new StopSignals();
return await Invocation.RunAsync(args, signals.Token);
