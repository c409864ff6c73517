using System.Runtime.InteropServices;
using Confluent.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Security;

/// <summary>Whatever the umask, state and lake can be read by other programs and written by the pipeline alone.</summary>
public sealed class FileModeTests(PostgresServer postgres, KafkaServer kafka)
{
    private const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode FolderMode = FileMode | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    [Fact]
    public async Task nobody_else_may_write_what_a_run_under_an_open_umask_leaves()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "modes of files are Unix's");
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            configure: o => o with { Datalake = o.Datalake with { PartitionBy = "order_date" } });
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b')");

        await UnderOpenUmaskAsync(async () =>
        {
            await using var run = stream.NewRun();
            Assert.True(await run.OnceAsync(null, TestContext.Current.CancellationToken));
            using var producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = stream.Options.Kafka.Brokers })
                .SetLogHandler((_, _) => { }).Build();
            await producer.ProduceAsync(
                stream.Options.Kafka.Topic, new() { Value = "no row"u8.ToArray() }, TestContext.Current.CancellationToken);
            await stream.ExecuteAsync("UPDATE items SET name = 'c', updated_at = clock_timestamp() WHERE id = 1");
            Assert.True(await run.OnceAsync(null, TestContext.Current.CancellationToken));
        });

        Assert.Single(stream.Lake.QuarantineLines);
        var (datalake, streaming) = (stream.Options.Datalake, stream.Options.Streaming);
        foreach (var folder in new[] { datalake.Path, streaming.CheckpointLocation, streaming.LastProcessedTimestampLocation })
        {
            Assert.NotEmpty(Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories));
            Assert.All(Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories), file => HasMode(FileMode, file));
            Assert.All(
                Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories).Append(folder), f => HasMode(FolderMode, f));
        }
    }

    private static void HasMode(UnixFileMode expected, string path)
    {
        if (OperatingSystem.IsWindows()) return;
        Assert.True(File.GetUnixFileMode(path) == expected, $"{path}: {File.GetUnixFileMode(path)}");
    }

    private static async Task UnderOpenUmaskAsync(Func<Task> act)
    {
        var before = SetMask(0);
        try
        {
            await act();
        }
        finally
        {
            _ = SetMask(before);
        }
    }

    [DllImport("libc", EntryPoint = "umask")]
    private static extern uint SetMask(uint mask);
}
