namespace OrdersStream.LocalHost.Terminal;

/// <summary>A person at a terminal, who may press a key; a script is none.</summary>
public static class KeyPress
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(100);

    /// <summary>Waits for one; null: nobody could press any.</summary>
    public static Func<CancellationToken, Task>? AtTerminal(TimeProvider time) =>
        Console.IsInputRedirected || Console.IsOutputRedirected ? null : token => WaitAsync(time, token);

    // To read one would hold a thread, and the terminal, beyond the end.
    private static async Task WaitAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (!Console.KeyAvailable) await timer.WaitForNextTickAsync(cancellationToken);
        while (Console.KeyAvailable) Console.ReadKey(intercept: true);
    }
}
