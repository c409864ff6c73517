using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Security;

/// <summary>
/// A name is a name, whatever is in it: table, key, time and partition column that would be statements if they were spliced in bare.
/// </summary>
public sealed class HostileNameTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Table = "x\"; drop table y; --", Key = "k\"; drop table y; --";
    private const string Time = "t'; drop table y; --", City = "c\"); drop table y; --";

    private static readonly string Ddl =
        $"""
        CREATE TABLE y (id int);
        CREATE TABLE {Quoted(Table)} (
            {Quoted(Key)} text PRIMARY KEY, {Quoted(Time)} timestamptz NOT NULL DEFAULT now(), {Quoted(City)} text, name text);
        CREATE INDEX ON {Quoted(Table)} ({Quoted(Time)}, {Quoted(Key)});
        """;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task names_that_hold_statements_are_names()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, Ddl, Table, Configure);
        await stream.ExecuteAsync(
            $"INSERT INTO {Quoted(Table)} SELECT 'key'';drop table y;--' || i, now(), 'city', 'name' FROM generate_series(1, 300) i");
        await using var run = stream.NewRun();
        Assert.True(await run.OnceAsync(null, Cancellation));

        // A second window that is cut into pages: cursors hold the hostile keys.
        await stream.ExecuteAsync($"UPDATE {Quoted(Table)} SET name = 'other', {Quoted(Time)} = clock_timestamp()");
        Assert.True(await run.OnceAsync(null, Cancellation));

        Assert.True(await stream.Database.ScalarAsync<bool>("SELECT to_regclass('y') IS NOT NULL"));
        Assert.Equal(600, stream.Lake.Count());
        await stream.LakeShouldEqualTableAsync(Key);
        var compared = await run.Stream.Comparison.CompareAsync(Cancellation);
        Assert.True(compared.Verdict == ComparisonVerdict.Equal && compared.Equal == 300, compared.ToString());
        Assert.True(await stream.Database.ScalarAsync<bool>("SELECT to_regclass('y') IS NOT NULL"));
    }

    private static PipelineOptions Configure(PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { TimestampColumn = Time, PageBytes = 4096 },
        Datalake = options.Datalake with { PartitionBy = City },
    };

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"")}\"";
}
