using OrdersStream.Diagnostics;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>A table may change while it is captured: the next window has its new shape, and each file the shape of its rows.</summary>
public sealed class SchemaChangeTests(PostgresServer postgres, KafkaServer kafka)
{
    public static TheoryData<string, string> Changes => new()
    {
        { "ALTER TABLE items ADD COLUMN extra text", "UPDATE items SET extra = 'new', updated_at = now() WHERE id > 3" },
        { "ALTER TABLE items ADD COLUMN extra int NOT NULL DEFAULT 7", "UPDATE items SET updated_at = now() WHERE id > 3" },
        { "ALTER TABLE items DROP COLUMN name", "UPDATE items SET updated_at = now() WHERE id > 3" },
        { "ALTER TABLE items ALTER COLUMN amount TYPE bigint", "UPDATE items SET amount = 3000000000, updated_at = now() WHERE id > 3" },
        { "ALTER TABLE items ALTER COLUMN amount TYPE numeric(20,4)", "UPDATE items SET amount = 0.1234, updated_at = now() WHERE id > 3" },
        { "ALTER TABLE items ALTER COLUMN amount SET NOT NULL", "UPDATE items SET updated_at = now() WHERE id > 3" },
        { "ALTER TABLE items RENAME COLUMN name TO title", "UPDATE items SET title = 'new', updated_at = now() WHERE id > 3" },
    };

    [Theory, MemberData(nameof(Changes))]
    public async Task a_change_of_columns_is_picked_up_at_the_next_window(string change, string history)
    {
        await using var stream = await WithTableAsync();
        await stream.PollAndStoreAsync();

        await stream.ExecuteAsync(change);
        await stream.ExecuteAsync(history);
        var poll = await stream.PollAsync();
        var stored = await stream.StoreAsync();

        Assert.True(poll.Rows >= 7);
        Assert.Equal((poll.Rows, 0), (stored.Rows, stored.Quarantined));
        await NewRowsShouldEqualTableAsync(stream);
    }

    [Theory, MemberData(nameof(Changes))]
    public async Task rows_of_both_shapes_in_one_batch_go_to_files_of_their_own_shape(string change, string history)
    {
        await using var stream = await WithTableAsync();
        var before = await stream.PollAsync();
        await stream.ExecuteAsync(change);
        await stream.ExecuteAsync(history);
        var after = await stream.PollAsync();

        var stored = await stream.StoreAsync();

        Assert.Equal((before.Rows + after.Rows, 0), (stored.Rows, stored.Quarantined));
        await NewRowsShouldEqualTableAsync(stream);
    }

    [Fact]
    public async Task a_change_in_the_middle_of_a_window_is_picked_up_within_it()
    {
        await using var stream = await WithTableAsync(o => o with { Postgres = o.Postgres with { PageBytes = 1024 } });
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("UPDATE items SET name = repeat('x', 300), updated_at = now()");
        var first = await stream.Instance.PollOnePageAsync();
        Assert.False(first.WindowDone);

        await stream.ExecuteAsync("ALTER TABLE items ADD COLUMN extra text");
        await stream.RestartAsync();
        var rest = await stream.PollAsync();
        var stored = await stream.StoreAsync();

        Assert.Equal(10, first.Rows + rest.Rows);
        Assert.Equal((10, 0), (stored.Rows, stored.Quarantined));
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_change_to_a_type_that_is_not_carried_stops_and_goes_on_when_it_is_undone()
    {
        await using var stream = await WithTableAsync();
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TABLE items ADD COLUMN odd interval; UPDATE items SET name = 'new', updated_at = now()");

        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        await stream.ExecuteAsync("ALTER TABLE items DROP COLUMN odd");
        await stream.RestartAsync();
        await stream.PollAndStoreAsync();

        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.Contains("odd (interval)", stop.Message, StringComparison.Ordinal);
        await stream.LakeShouldEqualTableAsync();
    }

    private Task<TestStream> WithTableAsync(Func<Configuration.PipelineOptions, Configuration.PipelineOptions>? configure = null) =>
        TestStream.CreateAsync(postgres, kafka,
            """
            CREATE TABLE items (id bigint PRIMARY KEY, name text, amount int, updated_at timestamptz NOT NULL DEFAULT now());
            CREATE INDEX ON items (updated_at, id);
            INSERT INTO items SELECT i, 'old', i FROM generate_series(1, 10) i;
            """, configure: configure);

    // Rows whose values are as they were keep the shape they were stored in: only what was published since is compared.
    private static Task NewRowsShouldEqualTableAsync(TestStream stream) =>
        stream.NewestShouldEqualTableAsync("id > 3");
}
