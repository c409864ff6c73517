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
}
