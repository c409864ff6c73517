using OrdersStream.Postgres;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>What a functions host is to hold of a batch is reckoned before it comes, from rows of the table.</summary>
public sealed class RowWidthTests(PostgresServer postgres, KafkaServer kafka)
{
    /// <summary>Each record has the names again, which may be longer than the values.</summary>
    [Theory]
    [InlineData(0, "'a name of some length ' || i")]
    [InlineData(200, "'x'")]
    public async Task it_is_about_that_of_a_record(int columns, string name)
    {
        var numbers = string.Join(", ", Enumerable.Range(1, columns).Select(n => $"ADD COLUMN measured_value_{n} int DEFAULT {n % 10}"));
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, TestStream.Items + (columns == 0 ? "" : $"ALTER TABLE items {numbers};"));
        await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, {name} FROM generate_series(1, 500) i");

        var width = await RowWidth.SampleAsync(stream.Options.Postgres, TestContext.Current.CancellationToken);

        var polled = await stream.PollAsync();
        Assert.InRange(width!.Value / (polled.Bytes / (double)polled.Rows), 0.8, 1.25);
    }

    /// <summary>What is left out reaches nobody, however wide it is, and the role need not be able to read it.</summary>
    [Fact]
    public async Task it_is_that_of_the_columns_that_are_carried()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, TestStream.Items + "ALTER TABLE items ADD COLUMN photo text;",
            configure: o => o with { Postgres = o.Postgres with { ExcludeColumns = ["photo"], User = PostgresServer.BlindRole } });
        await stream.ExecuteAsync(
            $"GRANT SELECT (id, name, updated_at) ON items TO {PostgresServer.BlindRole}; "
            + "INSERT INTO items (id, name, photo) SELECT i, 'n', repeat('x', 100000) FROM generate_series(1, 50) i");

        Assert.InRange((await RowWidth.SampleAsync(stream.Options.Postgres, TestContext.Current.CancellationToken))!.Value, 20, 200);
    }
}
