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
        var horizon = new Horizon(
            "", 1_000_000_000, 1_000_000_000, [], null, DateTime.UnixEpoch, DateTime.UnixEpoch,
            ImmutableSortedDictionary<uint, DateTime?>.Empty);
        var window = new Window(1, null, horizon, null, 1, new Cursor(null, ["n2"]), Order: table.Order);
        if (hasAnotherKey) await stream.ExecuteAsync("ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (id)");
        using var metrics = new PipelineMetrics(stream.Options);
        var tooLarge = new TooLargeRows(
            stream.Options, RecordLimit.Of(null, isCompressed: false), CrashPoints.None, metrics, NullLogger.Instance);
        var lockWait = new LockWait(options, TimeProvider.System, NullLogger.Instance);
        var reader = new PageReader(connection, options, 1, tooLarge, lockWait, TimeProvider.System);
        var source = new SourceIdentity("1", "00000001", options.Db, $"{options.Schema}.{options.Table}", table.Oid);

        var page = await reader.ReadAgainAsync(new TornPage(1, [0], 1, null, [0]), window, source, cancellation);

        Assert.Equal(rows, page.Records.Length);
    }
}
