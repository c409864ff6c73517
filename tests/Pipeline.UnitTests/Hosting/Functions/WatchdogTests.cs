using OrdersStream.Configuration;
using OrdersStream.Hosting.Functions;

namespace OrdersStream.UnitTests.Hosting.Functions;

/// <summary>A worker that nobody calls any more ends; one that is at work, or that was asleep, does not.</summary>
public sealed class WatchdogTests
{
    private static readonly Dictionary<string, string> OneInstance =
        new() { ["AzureWebJobsStorage"] = "", ["AzureWebJobsSecretStorageType"] = "files" };

    private static readonly Dictionary<string, string> StoresOnly = new() { ["AzureWebJobsStorage__accountName"] = "a" };

    [Fact]
    public async Task it_ends_the_worker_when_no_tick_has_come_for_a_minute_and_says_why()
    {
        var why = await New(OneInstance, 5).WatchAsync(TestContext.Current.CancellationToken);
        Assert.StartsWith("no tick of PostgresToKafka came for 60 s though nothing runs: ", why);
    }

    [Theory]
    [InlineData(1, 12)]
    [InlineData(10, 12)]
    [InlineData(11, 14)]
    [InlineData(3_600, 4_320)]
    public void it_has_patience_for_a_minute_or_six_intervals(int interval, int looks)
    {
        var watchdog = New(OneInstance, interval);
        for (var look = 1; look < looks; look++) Assert.False(watchdog.Look());
        Assert.True(watchdog.Look());
    }

    [Fact]
    public void each_tick_renews_its_patience()
    {
        var watchdog = New(OneInstance, 5);
        for (var look = 0; look < 100; look++)
        {
            if (look % 11 == 0) watchdog.Ticked();
            Assert.False(watchdog.Look());
        }
    }

    [Fact]
    public void while_something_runs_and_for_as_long_after_it_no_tick_is_missed()
    {
        var watchdog = New(OneInstance, 5);
        var (one, two) = (watchdog.Run(), watchdog.Run());
        for (var look = 0; look < 100; look++) Assert.False(watchdog.Look());
        one.Dispose();
        one.Dispose();
        for (var look = 0; look < 100; look++) Assert.False(watchdog.Look());
        two.Dispose();
        for (var look = 1; look < 12; look++) Assert.False(watchdog.Look());
        Assert.True(watchdog.Look());
    }

    [Theory]
    [InlineData("AzureWebJobsStorage", "DefaultEndpointsProtocol=https;AccountName=a")]
    [InlineData("AzureWebJobsStorage__accountName", "a")]
    [InlineData("AzureWebJobs.PostgresToKafka.Disabled", "true")]
    [InlineData("AzureWebJobs__PostgresToKafka__Disabled", "1")]
    public void where_this_instance_may_have_no_timer_it_waits_for_the_first_tick(string name, string value)
    {
        var watchdog = New(new Dictionary<string, string> { [name] = value }, 5);
        for (var look = 0; look < 100; look++) Assert.False(watchdog.Look());
        watchdog.Ticked();
        for (var look = 1; look < 12; look++) Assert.False(watchdog.Look());
        Assert.True(watchdog.Look());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void a_deaf_worker_ends_though_it_expects_no_tick(bool byMemory)
    {
        var watchdog = New(StoresOnly, 3_600);
        for (var look = 0; look < 100; look++) Assert.False(watchdog.Look());
        Deafen(watchdog, byMemory);
        for (var look = 1; look < 12; look++) Assert.False(watchdog.Look());
        // As it happens again, at what is sent.
        Deafen(watchdog, byMemory);
        Assert.True(watchdog.Look());
    }

    [Fact]
    public async Task it_says_that_it_was_deaf_and_what_helps()
    {
        var watchdog = New(StoresOnly, 5);
        watchdog.ConnectionBroke();
        var why = await watchdog.WatchAsync(TestContext.Current.CancellationToken);
        Assert.StartsWith("nothing came from the Functions host for 60 s after the connection to it broke, or memory ran out", why);
        Assert.Contains($"set {BatchLimit.Variable} to fewer records", why);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void one_that_is_at_work_or_called_later_is_not_deaf(bool byMemory)
    {
        var watchdog = New(StoresOnly, 5);
        Deafen(watchdog, byMemory);
        // What had come by then.
        var run = watchdog.Run();
        for (var look = 0; look < 100; look++) Assert.False(watchdog.Look());
        run.Dispose();
        for (var look = 1; look < 12; look++) Assert.False(watchdog.Look());
        watchdog.Run().Dispose();
        for (var look = 0; look < 100; look++) Assert.False(watchdog.Look());
    }

    [Fact]
    public void a_call_that_had_come_before_is_no_sign_that_it_hears()
    {
        var watchdog = New(StoresOnly, 5);
        watchdog.ConnectionBroke();
        watchdog.Heard();
        watchdog.Run().Dispose();
        for (var look = 1; look < 12; look++) Assert.False(watchdog.Look());
        Assert.True(watchdog.Look());
    }

    [Fact]
    public void nor_is_one_that_waited_while_the_worker_looked_once()
    {
        var watchdog = New(StoresOnly, 5);
        watchdog.ConnectionBroke();
        Assert.False(watchdog.Look());
        watchdog.Run().Dispose();
        for (var look = 1; look < 12; look++) Assert.False(watchdog.Look());
        Assert.True(watchdog.Look());
    }

    /// <summary>As by the audit, or the page, which say so themselves.</summary>
    [Fact]
    public void memory_that_ran_out_beside_the_calls_ends_nobody_who_still_has_ticks()
    {
        var watchdog = New(OneInstance, 3_600);
        watchdog.MemoryRanOut();
        for (var look = 1; look < 4_320; look++) Assert.False(watchdog.Look());
        Assert.True(watchdog.Look());
    }

    [Fact]
    public void memory_that_ran_out_in_a_call_makes_nobody_deaf()
    {
        var watchdog = New(StoresOnly, 5);
        using (watchdog.Run()) watchdog.MemoryRanOut();
        for (var look = 0; look < 100; look++) Assert.False(watchdog.Look());
    }

    [Fact]
    public void a_timer_that_is_not_switched_off_ticks_from_the_start()
    {
        var watchdog = New(new Dictionary<string, string> { ["AzureWebJobs.PostgresToKafka.Disabled"] = "false" }, 5);
        for (var look = 1; look < 12; look++) watchdog.Look();
        Assert.True(watchdog.Look());
    }

    [Theory]
    [InlineData("KafkaToLake", "AzureWebJobs.KafkaToLake.Disabled", "true", true)]
    [InlineData("KafkaToLake", "AzureWebJobs__KafkaToLake__Disabled", "1", true)]
    [InlineData("KafkaToLake", "AzureWebJobs.KafkaToLake.Disabled", "0", false)]
    [InlineData("KafkaToLake", "AzureWebJobs.KafkaToLake.Disabled", " ", false)]
    [InlineData("KafkaToLake", "AzureWebJobs.PostgresToKafka.Disabled", "true", false)]
    public void a_half_that_is_switched_off_is_told_from_the_other(string half, string name, string value, bool isOff) =>
        Assert.Equal(isOff, New(new Dictionary<string, string> { [name] = value }, 5).IsSwitchedOff(half));

    [Fact]
    public async Task it_ends_with_the_worker()
    {
        using var stop = new CancellationTokenSource();
        var watching = new Watchdog(new PipelineOptions(), OneInstance, TimeProvider.System).WatchAsync(stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watching);
    }

    [Fact]
    public void what_is_logged_belongs_to_a_run_as_long_as_that_lasts()
    {
        var watchdog = New(OneInstance, 5);
        Assert.False(Watchdog.IsInRun);
        using (watchdog.Run()) Assert.True(Watchdog.IsInRun);
        Assert.False(Watchdog.IsInRun);
    }

    private static void Deafen(Watchdog watchdog, bool byMemory)
    {
        if (byMemory) watchdog.MemoryRanOut();
        else watchdog.ConnectionBroke();
    }

    private static Watchdog New(Dictionary<string, string> environment, int interval) => new(
        new PipelineOptions { Streaming = new StreamingOptions { BatchInterval = interval } }, environment, new QuickTime());

    /// <summary>Its timers go off a thousand times as fast: the dog counts its looks.</summary>
    private sealed class QuickTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime / 1_000, period / 1_000);
    }
}
