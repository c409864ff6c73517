using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

public sealed class TornPageTests(PostgresServer postgres, KafkaServer kafka)
{
    /// <summary>For its range only, and without keys that are there again by now.</summary>
    [Fact]
    public async Task a_torn_page_of_deletes_is_read_again_as_it_was_but_for_what_is_there_again()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, TestStream.ItemsAndDeletes);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 6) i; DELETE FROM items; "
            + "INSERT INTO items VALUES (3, 'again')");
        var (options, cancellation) = (stream.Options.Postgres, TestContext.Current.CancellationToken);
        await using var connection = await SourceConnection.OpenAsync(options, cancellation);
        var table = await SourceCatalog.ReadAsync(connection, options, cancellation);
        var everything = Everything with { Tombstones = table.Tombstones!.Oid };
        var window = new Window(1, null, everything, null, 2, null, Order: table.Order) { Deleted = new Cursor("5", ["5"]) };

        var page = await AgainAsync(stream, connection, window, new Cursor("1", ["1"]), table);

        Assert.True(page.IsDeletes);
        Assert.Equal(["2", "4", "5"], page.Records.ToArray().Select(r => System.Text.Encoding.UTF8.GetString(page.Key(r))));
    }

    /// <summary>The same of rows that count as deleted: without those that are others by now.</summary>
    [Fact]
    public async Task a_torn_page_of_rows_that_count_as_deleted_is_read_again_as_far_as_they_do()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Postgres = o.Postgres with { DeletedWhen = "name = 'gone'" } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'gone' FROM generate_series(1, 6) i");
        await stream.ExecuteAsync("UPDATE items SET name = 'here' WHERE id = 3");
        var (options, cancellation) = (stream.Options.Postgres, TestContext.Current.CancellationToken);
        await using var connection = await SourceConnection.OpenAsync(options, cancellation);
        var table = await SourceCatalog.ReadAsync(connection, options, cancellation);
        var window = new Window(1, null, Everything, null, 2, null, Order: table.Order) { Marked = new Cursor(null, ["5"]) };

        var page = await AgainAsync(stream, connection, window, new Cursor(null, ["1"]), table);

        Assert.True(page is { IsDeletes: true, IsOfMarked: true });
        Assert.Equal(["2", "4", "5"], page.Records.ToArray().Select(r => System.Text.Encoding.UTF8.GetString(page.Key(r))));
    }

    /// <summary>Its ends are places in the old key. The window is read again from its beginning, and with it what the page had.</summary>
    [Theory, InlineData(false, 2), InlineData(true, 0)]
    public async Task a_torn_page_is_not_sent_again_where_the_table_has_another_key(bool hasAnotherKey, int rows)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 3) i");
        await stream.ExecuteAsync("ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (name)");
        var (options, cancellation) = (stream.Options.Postgres, TestContext.Current.CancellationToken);
        await using var connection = await SourceConnection.OpenAsync(options, cancellation);
        var table = await SourceCatalog.ReadAsync(connection, options, cancellation);
        var window = new Window(1, null, Everything, null, 1, new Cursor(null, ["n2"]), Order: table.Order);
        if (hasAnotherKey) await stream.ExecuteAsync("ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (id)");

        var page = await AgainAsync(stream, connection, window, null, table);

        Assert.Equal(rows, page.Records.Length);
    }

    private static Horizon Everything => new(
        "", 1_000_000_000, 1_000_000_000, [], null, DateTime.UnixEpoch, DateTime.UnixEpoch,
        ImmutableSortedDictionary<uint, DateTime?>.Empty);

    private static async Task<Page> AgainAsync(
        TestStream stream, Npgsql.NpgsqlConnection connection, Window window, Cursor? before, SourceTable table)
    {
        var options = stream.Options.Postgres;
        using var metrics = new PipelineMetrics(stream.Options);
        var tooLarge = new TooLargeRows(
            stream.Options, RecordLimit.Of(null, isCompressed: false), CrashPoints.None, metrics, NullLogger.Instance);
        var lockWait = new LockWait(options, TimeProvider.System, NullLogger.Instance);
        var reader = new PageReader(connection, options, 1, tooLarge, lockWait, TimeProvider.System);
        var source = new SourceIdentity("1", "00000001", options.Db, $"{options.Schema}.{options.Table}", table.Oid);

        return await reader.ReadAgainAsync(
            new TornPage(1, [0], 1, before, [0]), window, source, TestContext.Current.CancellationToken);
    }
}
