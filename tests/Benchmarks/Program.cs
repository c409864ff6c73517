using OrdersStream.Benchmarks;
using OrdersStream.LocalHost.Terminal;

using var signals = new StopSignals();
return await Commands.RunAsync(args, signals.Token);
