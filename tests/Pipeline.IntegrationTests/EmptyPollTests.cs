using System.Collections.Concurrent;
using System.Diagnostics;
using OrdersStream.Capture;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Runs alone: a commit of any other test, in whatever database, is a change that a poll has to look at.</summary>
[CollectionDefinition(DisableParallelization = true)]
public sealed class NothingElseCommits;

[Collection(typeof(NothingElseCommits))]
public sealed class EmptyPollTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task a_poll_after_which_nothing_was_committed_is_one_statement_that_reads_no_table()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1, 1000)");
        await stream.PollAsync();
        await stream.PollAsync();
        using var statements = new Statements(stream.Database.Name);

        for (var i = 0; i < 3; i++) Assert.Equal(PollOutcome.Idle, (await stream.PollAsync()).Outcome);

        Assert.Equal(3, statements.Texts.Count);
        Assert.All(statements.Texts, s => Assert.DoesNotContain("items", s, StringComparison.Ordinal));
        Assert.Equal(1000, stream.Dump().Records.Count);
    }

    [Fact]
    public async Task a_poll_after_a_commit_elsewhere_reads_no_row_of_the_table_again()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1, 1000); CREATE TABLE elsewhere (id int)");
        await stream.PollAsync();
        await stream.ExecuteAsync("INSERT INTO elsewhere VALUES (1)");

        Assert.Equal(PollOutcome.Idle, (await stream.PollAsync()).Outcome);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>What Npgsql was told to run, as it tells anyone who traces it.</summary>
    private sealed class Statements : IDisposable
    {
        private readonly ActivityListener listener;

        public Statements(string database)
        {
            listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name == "Npgsql",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = activity =>
                {
                    if (activity.TagObjects.Any(t => t.Value as string == database))
                        Texts.Add(
                            string.Join(
                                ' ', activity.TagObjects.Where(t => t.Key is "db.query.text" or "db.statement").Select(t => t.Value)));
                },
            };
            ActivitySource.AddActivityListener(listener);
        }

        public ConcurrentBag<string> Texts { get; } = [];

        public void Dispose() => listener.Dispose();
    }

    [Fact]
    public async Task after_a_quiet_time_the_lag_counts_from_the_last_poll_that_found_nothing()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.DrainAsync();
        var begun = TimeProvider.System.GetTimestamp();
        Assert.Equal(PollOutcome.Idle, (await stream.PollAsync()).Outcome);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (2)");
        var poll = await stream.PollAsync();
        Assert.Equal(1, poll.Rows);
        Assert.InRange(poll.Lag!.Value, TimeSpan.Zero, TimeProvider.System.GetElapsedTime(begun));
    }
}
