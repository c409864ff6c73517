using System.Globalization;

namespace OrdersStream.UnitTests.Schedules;

/// <summary>
/// Invariants 1, 2 and 3 under schedules that nobody thought of: publishers, network, brokers and storers take their steps as a seed
/// decides. SCHEDULES_SECONDS says for how long new ones are made; SCHEDULES_SEED repeats one, or says the first.
/// </summary>
public sealed class ScheduleTests
{
    /// <summary>So many always, and always the same.</summary>
    private const int DefaultCount = 300;

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public async Task whatever_happens_the_lake_has_each_row_version_once_and_the_newest_of_each_row(
        bool isTransactional, bool losesSeveral)
    {
        using var schemas = new TempFolder();
        var begun = TimeProvider.System.GetTimestamp();
        var seconds = Number("SCHEDULES_SECONDS");
        var first = Number("SCHEDULES_SEED") ?? (seconds is null ? 1 : Random.Shared.Next(1_000_000_000));
        var count = 0;
        do await RunAsync(first + count++, isTransactional, schemas["schemas"], losesSeveral);
        while (IsMore());
        TestContext.Current.TestOutputHelper?.WriteLine($"{count} schedules, from SCHEDULES_SEED={first} on");

        bool IsMore() => seconds is null
            ? Number("SCHEDULES_SEED") is null && count < DefaultCount
            : TimeProvider.System.GetElapsedTime(begun).TotalSeconds < seconds;
    }

    [Theory]
    [InlineData(1300028386)]
    [InlineData(1400009335)]
    public async Task what_a_publisher_that_slept_left_open_hides_the_end_until_the_next_session_begins(int seed)
    {
        using var schemas = new TempFolder();
        await RunAsync(seed, isTransactional: true, schemas["schemas"]);
    }

    /// <summary>The storer reads on at the offset at which it stood, which the brokers came to again: a fence stands there.</summary>
    [Fact]
    public async Task a_fence_does_not_hide_a_page_that_was_written_where_an_end_was_lost()
    {
        using var schemas = new TempFolder();
        await RunAsync(495101162, isTransactional: false, schemas["schemas"], losesSeveral: true);
    }

    /// <summary>The watermark file is one from before the loss, and the page was its publisher's last.</summary>
    [Fact]
    public async Task a_page_that_is_torn_where_the_brokers_lost_an_end_is_sent_again_all_the_same()
    {
        using var schemas = new TempFolder();
        await RunAsync(895614041, isTransactional: false, schemas["schemas"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task of_two_partitions_that_lose_their_ends_only_one_may_show_it_by_its_end(bool isTransactional)
    {
        using var schemas = new TempFolder();
        var schedule = new Schedule(1, isTransactional, schemas["schemas"], losesSeveral: true);
        try
        {
            await schedule.LoseTwoEndsAsync();
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.Message}\n{string.Join('\n', schedule.Steps)}", e);
        }
    }

    private static async Task RunAsync(int seed, bool isTransactional, string schemas, bool losesSeveral = false)
    {
        var schedule = new Schedule(seed, isTransactional, schemas, losesSeveral);
        try
        {
            await schedule.RunAsync();
        }
        catch (Exception e)
        {
            throw new InvalidOperationException(
                $"SCHEDULES_SEED={seed} repeats it: {e.Message}\n{string.Join('\n', schedule.Steps)}", e);
        }
    }

    private static int? Number(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}
