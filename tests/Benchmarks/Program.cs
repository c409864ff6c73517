using OrdersStream.Benchmarks;
using OrdersStream.LocalHost.CommandLine;

using var signals = new StopSignals();
return await Commands.RunAsync(args, signals.Token);
