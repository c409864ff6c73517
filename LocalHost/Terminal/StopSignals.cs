using System.Runtime.InteropServices;

namespace OrdersStream.LocalHost.Terminal;

/// <summary>
/// Turns the first Ctrl+C, SIGTERM or closed terminal into a cancelled token, so that a verb drains and ends by itself.
/// The second one ends the process at once: nobody should have to wait for a server that hangs.
/// </summary>
public sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly PosixSignalRegistration[] registrations;
    private int seen;

    public StopSignals()
    {
        PosixSignal[] signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        registrations = [.. signals.Select(s => PosixSignalRegistration.Create(s, OnSignal))];
    }

    public CancellationToken Token => stop.Token;

    public void Dispose()
    {
        // The source stays: a signal that is being handled now may still cancel it.
        foreach (var registration in registrations) registration.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        // As a shell has it of who died by the signal: no verb's verdict.
        if (Interlocked.Increment(ref seen) > 1) Environment.Exit(ExitCode.Signal + NumberOf(context.Signal));
        Console.Error.WriteLine("stopping (once more to end at once)");
        stop.Cancel();
    }

    private static int NumberOf(PosixSignal signal) => signal switch
    {
        PosixSignal.SIGHUP => 1,
        PosixSignal.SIGINT => 2,
        _ => 15,
    };
}
