using System.Text.RegularExpressions;
using Confluent.Kafka;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.Audit;

/// <summary>
/// What came past every rule of capture and of the topic: the running pipeline alone finds it, names it and mends it, each row by one
/// request, and the lake is the table's again.
/// </summary>
public sealed partial class HealedByAuditTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Guarded =
        TestStream.Items
        + """

        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END';
        CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch();
        """;

    private const string LongAgo = "now() - interval '1 year'";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// As rows are that were frozen, rewritten, attached or restored behind a horizon where no rule sees it: committed, current, and below
    /// every window's bound.
    /// </summary>
    [Theory]
    [InlineData("dated back", TestStream.Items, 200_100, 200_000, $"UPDATE items SET name = 'Zq7', updated_at = {LongAgo} WHERE id > 100")]
    [InlineData(
        "inserted with an old time", TestStream.Items, 300, 5_000,
        $"INSERT INTO items SELECT i, 'Zq7', {LongAgo} FROM generate_series(301, 5300) i")]
    [InlineData(
        "emptied and loaded again", TestStream.Items, 300, 300,
        $"BEGIN; DELETE FROM items; INSERT INTO items SELECT i, 'Zq7', {LongAgo} FROM generate_series(1, 290) i; COMMIT")]
    [InlineData("deleted", TestStream.Items, 25_000, 1_000, "DELETE FROM items WHERE id % 25 = 0")]
    [InlineData(
        "applied late by a replica", Guarded, 300, 50,
        $"SET session_replication_role = replica; UPDATE items SET name = 'Zq7', updated_at = {LongAgo} WHERE id <= 30; "
        + $"INSERT INTO items SELECT i, 'Zq7', {LongAgo} FROM generate_series(301, 320) i; RESET session_replication_role")]
    [InlineData(
        "truncated and loaded again, of which capture sees all but what is gone", TestStream.Items, 300, 10,
        $"BEGIN; TRUNCATE items; INSERT INTO items SELECT i, 'Zq7', {LongAgo} FROM generate_series(1, 290) i; COMMIT")]
    [InlineData(
        "changed without a new time", TestStream.Items, 300, 60, "UPDATE items SET name = 'Zq7' WHERE id > 240")]
    public async Task rows_that_no_window_takes_are_mended(string _, string ddl, int rows, int asked, string behindTheHorizon)
    {
        // Of one's own: other tests' open transactions would hold horizons back, behind which a window takes what is written.
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka, ddl, configure: Audited);
        await stream.ExecuteAsync($"INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, {rows}) i");
        await using var running = new Running(stream);
        await running.StoredAsync(rows);
        await running.ComparedAsync(rows);

        await stream.ExecuteAsync(behindTheHorizon);

        await running.MendedAsync(asked);
        Assert.Contains(stream.Log.Warnings, w => w.Contains("audit: lake and table differ", StringComparison.Ordinal));
        // It says nothing of what a row has in it.
        Assert.DoesNotContain("Zq7", stream.Log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task rows_whose_files_were_removed_are_mended()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: Audited);
        List<string> removed = [];
        for (var commit = 0; commit < 4; commit++)
        {
            await stream.ExecuteAsync($"INSERT INTO items SELECT i, 'n' FROM generate_series({commit * 100}, {(commit * 100) + 99}) i");
            await stream.PollAndStoreAsync();
            // Not of the newest commit: its files are looked at when storing begins.
            if (commit == 2) removed = [.. stream.Lake.Files.Take(3)];
        }
        await stream.Instance.DisposeAsync();
        await stream.UntilNobodyPollsAsync();
        Assert.Equal(3, removed.Count);
        var lost = removed.Sum(f => int.Parse(stream.Lake.Rows($"SELECT count(*) FROM read_parquet('{f}')")[0][0]!));
        await using var running = new Running(stream);
        await running.ComparedAsync(400);

        foreach (var file in removed) File.Delete(file);

        await running.MendedAsync(lost);
        Assert.Contains(
            stream.Log.Warnings, w => w.Contains($"{lost} row versions that the commit log has are in no file", StringComparison.Ordinal));
    }

    /// <summary>
    /// Published, and gone from the topic before they were stored: storing stops, its remedy is followed, and the audit brings them.
    /// </summary>
    [Fact]
    public async Task rows_that_the_topic_lost_are_mended_once_the_loss_is_accepted()
    {
        kafka.RequireReal("records are deleted");
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: Audited);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 300) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync(
            "UPDATE items SET name = 'Zq7', updated_at = clock_timestamp() WHERE id <= 120; "
            + "INSERT INTO items SELECT i, 'Zq7', clock_timestamp() FROM generate_series(301, 330) i");
        await stream.DrainAsync();
        await DeleteRecordsAsync(stream.Options.Kafka);
        await stream.Instance.DisposeAsync();
        await stream.UntilNobodyPollsAsync();
        for (var stops = 0; await StopAsync(stream) is { } message; stops++)
        {
            Assert.True(stops < stream.Options.Kafka.Partitions, message);
            var marker = AcceptedBy().Match(message).Groups[1].Value;
            Directory.CreateDirectory(Path.GetDirectoryName(marker)!);
            await File.WriteAllBytesAsync(marker, [], Token);
        }

        await using var running = new Running(stream);
        await running.MendedAsync(150);
    }

    /// <returns>What storing stops with; null: it does not.</returns>
    private static async Task<string?> StopAsync(TestStream stream)
    {
        await using var run = stream.NewRun();
        var failure = await Record.ExceptionAsync(() => run.OnceAsync(PipelineHalf.KafkaToLake, Token));
        return failure is null ? null : Assert.IsAssignableFrom<PipelineException>(failure).Message;
    }

    private static async Task DeleteRecordsAsync(KafkaOptions options)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = options.Brokers }).Build();
        await admin.DeleteRecordsAsync(
            [.. Enumerable.Range(0, options.Partitions).Select(p => new TopicPartitionOffset(options.Topic, p, Offset.End))]);
    }

    [GeneratedRegex("create the empty file '([^']+)'")]
    private static partial Regex AcceptedBy();

    private static PipelineOptions Audited(PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { Deletes = "audit" },
        Streaming = options.Streaming with { BatchInterval = 1 },
        Audit = new AuditOptions { Share = 100, Interval = 1 },
    };

    /// <summary>Both halves and their audit, as a user's process has them, and nothing else.</summary>
    private sealed class Running : IAsyncDisposable
    {
        private readonly TestStream stream;
        private readonly CancellationTokenSource stop = new();
        private readonly TestRun run;
        private readonly Task task;

        public Running(TestStream stream)
        {
            this.stream = stream;
            run = stream.NewRun();
            task = run.UntilStoppedAsync(null, null, stop.Token, Token);
        }

        public Task StoredAsync(int rows) => stream.UntilStoredAsync(rows, task);

        /// <summary>A round found all rows equal.</summary>
        public Task ComparedAsync(int rows) => UntilAsync((_, last) => last.Differences == 0 && last.Equal == rows);

        /// <summary>A round finds no difference, and no row was asked for twice.</summary>
        public async Task MendedAsync(int asked)
        {
            await UntilAsync((state, last) => last.Differences == 0 && last.Equal == last.Rows && state.RequestedInAll >= asked);
            await stop.CancelAsync();
            await task;
            Assert.Equal(asked, new AuditStateFile(stream.Options, CrashPoints.None).Read()!.RequestedInAll);
            await stream.NewestShouldEqualTableAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await run.DisposeAsync();
            stop.Dispose();
        }

        private Task UntilAsync(Func<AuditState, AuditFindings, bool> isSo) => AuditRounds.UntilAsync(stream, task, 50, isSo);
    }
}
