using System.Text;
using Confluent.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Security;

/// <summary>No value of the partition column leads out of the lake's folder, and none is lost.</summary>
public sealed class HostileValueTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Ddl =
        """
        CREATE TABLE items (id bigint PRIMARY KEY, name text, city text, updated_at timestamptz NOT NULL DEFAULT now());
        CREATE INDEX ON items (updated_at, id);
        """;

    private static readonly string?[] Values =
    [
        "../x", "x/../../../escaped", "/etc/x", "..\\x", "C:\\x", ".", "..", "...", ".hidden", "trailing.", "", null,
        new string('a', 5_000), new string('a', 4_999) + "b",
        new string('é', 2_500), "Zürich", "花椒豆腐", "🍕", "line\nbreak", "tab\there", "%2F", "..%2F..%2Fx", "a=b", "*?[x]", "~", "$HOME",
        "`id`", "'; --", "\u202egnp", " ", "CON",
        "__HIVE_DEFAULT_PARTITION__", "_quarantine",
    ];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task no_partition_value_leaves_the_lakes_folder()
    {
        await using var stream = await CreateAsync();
        await using (var session = await stream.Database.OpenSessionAsync())
        {
            await using var insert = new Npgsql.NpgsqlCommand(
                "INSERT INTO items SELECT i, 'row ' || i, v FROM unnest($1) WITH ORDINALITY u(v, i)", session)
            {
                Parameters = { new() { Value = Values } },
            };
            Assert.Equal(Values.Length, await insert.ExecuteNonQueryAsync(Cancellation));
        }

        await OnceAsync(stream);

        LiesInItsFolders(stream);
        // A folder for each value; those that no folder can be named after share one.
        Assert.Equal(Values.Length - 1, FoldersOf(stream.Options.Datalake.Path).Count);
        Assert.Equal(Values.Length, stream.Lake.Count());
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_nul_that_another_producer_wrote_does_no_harm()
    {
        await using var stream = await CreateAsync();
        await stream.ExecuteAsync("INSERT INTO items VALUES (1, 'ours', 'here')");
        await OnceAsync(stream);
        await ProduceAsync(stream, """{"id":2,"name":"a\u0000b","city":"..\u0000/../../x","updated_at":"2026-01-01T00:00:00.000000Z"}""");
        await ProduceAsync(stream, """{"id":3,"name":"theirs","city":"x\u0000","updated_at":"2026-01-01T00:00:00.000000Z"}""");
        await ProduceAsync(stream, """{"id":4,"name":"theirs","city":"there","updated_at":"2026-01-01T00:00:00.000000Z"}""");

        await OnceAsync(stream);

        LiesInItsFolders(stream);
        Assert.Equal(4, stream.Lake.Count() + stream.Lake.QuarantineLines.Count);
        Assert.Equal(
            [["1", "here"], ["4", "there"]], stream.Lake.Rows($"SELECT id, city FROM {stream.Lake.Source} WHERE id IN (1, 4) ORDER BY id"));
    }

    private Task<TestStream> CreateAsync() => TestStream.CreateAsync(postgres, kafka, Ddl,
        configure: o => o with { Datalake = o.Datalake with { PartitionBy = "city" }, Kafka = o.Kafka with { Partitions = 1 } });

    private static async Task OnceAsync(TestStream stream)
    {
        await using var run = stream.NewRun();
        Assert.True(await run.OnceAsync(null, Cancellation));
    }

    private static async Task ProduceAsync(TestStream stream, string value)
    {
        using var producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = stream.Options.Kafka.Brokers })
            .SetLogHandler((_, _) => { }).Build();
        await producer.ProduceAsync(
            stream.Options.Kafka.Topic, new() { Key = "theirs"u8.ToArray(), Value = Encoding.UTF8.GetBytes(value) }, Cancellation);
    }

    /// <summary>
    /// Each file lies in one folder right below the lake's, and nothing lies beside the three folders of the configuration.
    /// </summary>
    private static void LiesInItsFolders(TestStream stream)
    {
        var lake = stream.Options.Datalake.Path;
        var root = Path.GetDirectoryName(lake)!;
        Assert.Equal(
            ["checkpoint", "lake", "lastprocess"],
            Directory.EnumerateFileSystemEntries(root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.False(Path.Exists(Path.Combine(Path.GetTempPath(), "escaped")));
        Assert.All(
            Directory.EnumerateFileSystemEntries(lake),
            folder => Assert.Matches(@"\A(by_city=[A-Za-z0-9_.%-]+|_quarantine|_orders_stream(_log)?\.json)\z", Path.GetFileName(folder)));
        Assert.All(FoldersOf(lake), folder => Assert.Empty(Directory.EnumerateDirectories(folder)));
        Assert.All(
            Directory.EnumerateFileSystemEntries(root, "*", SearchOption.AllDirectories),
            entry => Assert.Null(new FileInfo(entry).LinkTarget));
    }

    private static List<string> FoldersOf(string lake) => [.. Directory.EnumerateDirectories(lake, "by_city=*")];
}
