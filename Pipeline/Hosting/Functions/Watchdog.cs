using OrdersStream.Capture;
using OrdersStream.Configuration;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// Notices that the platform calls this worker no more: its host was killed and left it behind, or what listens to the host died of a
/// batch that was larger than its memory. A worker that lives on so keeps the poller's lock, or its partitions, and no row moves.
/// </summary>
public sealed class Watchdog
{
    private const int IntervalsMin = 6, LooksMin = 12;

    private static readonly TimeSpan LookIntervalMax = TimeSpan.FromSeconds(5);
    private const int ByConnection = 1;
    private const int ByMemory = 2;

    private static readonly AsyncLocal<RunningCall?> Current = new();

    private readonly TimeProvider time;
    private readonly TimeSpan patience, deafPatience, lookInterval;
    private readonly IReadOnlyDictionary<string, string> environment;
    private int running;
    private int looksInVain;
    private volatile bool isArmed;
    private int deafBy, looksUncalled;

    /// <param name="options">For the interval of the ticks.</param>
    /// <param name="environment">Tells whether there are ticks from the start, and which half is switched off.</param>
    /// <param name="time">The clock.</param>
    public Watchdog(PipelineOptions options, IReadOnlyDictionary<string, string> environment, TimeProvider time)
    {
        (this.time, this.environment) = (time, environment);
        var intervals = TimeSpan.FromSeconds(IntervalsMin * options.Streaming.BatchInterval);
        (patience, deafPatience) = (intervals > PatienceMin ? intervals : PatienceMin, PatienceMin);
        lookInterval = patience / LooksMin < LookIntervalMax ? patience / LooksMin : LookIntervalMax;
        isArmed = TicksEveryInstance();
    }

    /// <summary>Whether who asks does so for a call of the platform that has not ended yet.</summary>
    public static bool IsInRun => Current.Value is { IsOver: false };

    private bool IsDeaf => Volatile.Read(ref deafBy) is var by && (by == ByConnection || (by == ByMemory && !isArmed));

    /// <summary>However short the interval is. A test shortens it.</summary>
    internal static TimeSpan PatienceMin { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>The timer called.</summary>
    public void Ticked()
    {
        isArmed = true;
        Volatile.Write(ref looksInVain, 0);
    }

    /// <summary>A call of the platform runs until this is disposed of: as long as one does, ticks may wait for it.</summary>
    public IDisposable Run()
    {
        Interlocked.Increment(ref running);
        Heard();
        var run = new RunningCall(this);
        Current.Value = run;
        return run;
    }

    /// <summary>
    /// The connection to the host broke. There is one for as long as the worker lives: what it would bring does not come. Allocates
    /// nothing, since there may be no memory.
    /// </summary>
    public void ConnectionBroke() => Volatile.Write(ref deafBy, ByConnection);

    /// <summary>
    /// The same where memory ran out, unless it was for a call: that one says so itself, and the worker goes on. It may have run out for
    /// what else goes on beside the calls, so where ticks are expected these alone tell.
    /// </summary>
    public void MemoryRanOut()
    {
        if (Volatile.Read(ref running) == 0) Interlocked.CompareExchange(ref deafBy, ByMemory, 0);
    }

    /// <summary>
    /// The platform called: who hears that is not deaf, whatever broke before. One that had come by then may begin after it, so a call
    /// counts when all of the time between two looks has gone by.
    /// </summary>
    public void Heard()
    {
        if (Interlocked.Exchange(ref looksUncalled, 0) > 1) Volatile.Write(ref deafBy, 0);
    }

    /// <summary>Looks until no call has come for so long that none will.</summary>
    /// <returns>Why the worker must end.</returns>
    /// <exception cref="OperationCanceledException">The worker was told to stop before.</exception>
    public async Task<string> WatchAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(lookInterval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
            if (Look()) break;
        const string End =
            "It ends, and the host, where there is one, starts another; what was not committed is captured, or delivered, again";
        return IsDeaf
            ? $"nothing came from the Functions host for {deafPatience.TotalSeconds:0} s after the connection to it broke, or memory ran "
                + $"out beside all runs, as by a batch that was larger: this worker does not hear it any more. {End}. Where it comes "
                + $"again, set {BatchLimit.Variable} to fewer records, or give the worker more memory"
            : $"no tick of {nameof(PostgresToKafka)} came for {patience.TotalSeconds:0} s though nothing runs: the Functions host is "
                + $"gone, or this worker does not hear it any more, as after a batch that was larger than its memory. {End}";
    }

    /// <summary>
    /// Whether the patience is over. Counts looks, and no time of a clock: while the process is stopped, or its machine sleeps, no tick is
    /// missed.
    /// </summary>
    internal bool Look()
    {
        if (Volatile.Read(ref running) > 0)
        {
            Volatile.Write(ref looksInVain, 0);
            Volatile.Write(ref looksUncalled, 0);
            return false;
        }
        // Whoever stores only, and has no tick to expect, is told from one that has nothing to do by this alone.
        if (IsDeaf && Interlocked.Increment(ref looksUncalled) * lookInterval >= deafPatience) return true;
        return isArmed && Interlocked.Increment(ref looksInVain) * lookInterval >= patience;
    }

    /// <summary>The platform is told not to call a half here: nobody runs it in this worker.</summary>
    /// <param name="half">Its name.</param>
    public bool IsSwitchedOff(string half) => environment.Any(s => !string.IsNullOrWhiteSpace(s.Value)
        && s.Key.Replace("__", ".").Equals($"AzureWebJobs.{half}.Disabled", StringComparison.OrdinalIgnoreCase)
        && s.Value is not ("0" or "false" or "False"));

    /// <summary>
    /// With a storage account one instance has the timer, and the others wait for it to go; a timer that is switched off ticks nowhere.
    /// </summary>
    private bool TicksEveryInstance() => !IsSwitchedOff(nameof(PostgresToKafka)) && !environment.Any(s =>
        !string.IsNullOrWhiteSpace(s.Value) && s.Key.StartsWith(FunctionsSettings.Storage, StringComparison.OrdinalIgnoreCase));

    private sealed class RunningCall(Watchdog watchdog) : IDisposable
    {
        private int isOver;

        public bool IsOver => Volatile.Read(ref isOver) != 0;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref isOver, 1) == 0) Interlocked.Decrement(ref watchdog.running);
        }
    }
}
