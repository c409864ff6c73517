using System.Globalization;
using OrdersStream.Configuration;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Memory;

/// <summary>
/// Invariant 7: a process of one half takes at most 256 MiB, however many rows wait, however large they are and to however many folders
/// they go. MEMORY_ROWS tells how many wait; each half is a process of its own.
/// </summary>
public sealed class MemoryTests(PostgresServer postgres, KafkaServer kafka)
{
    /// <summary>What a process of one half may have.</summary>
    private const long Limit = 256 * MiB;

    private const int MiB = 1024 * 1024, LargeRows = 100, LargeBytes = MiB;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(30);

    private static int Rows =>
        TestEnvironment.Read("MEMORY_ROWS") is { } rows ? int.Parse(rows, NumberStyles.None, CultureInfo.InvariantCulture) : 150_000;

    [Fact]
    public Task a_backlog_of_any_length_passes_in_a_fixed_amount_of_memory() =>
        PassesAsync(Rows, "'row ' || id || repeat(' of many', 20)");

    [Fact]
    public Task rows_of_a_megabyte_pass_in_the_same_amount_of_memory() =>
        PassesAsync(Math.Max(LargeRows, Rows / 2_000), $"repeat(md5(id::text), {LargeBytes / 32})");

    [Fact]
    public async Task rows_of_many_folders_and_columns_pass_in_the_same_amount_of_memory()
    {
        const int Rows = 12_000, Folders = 5_000, Columns = 60;
        RequireServers();
        var texts = Enumerable.Range(0, Columns).Select(i => $"text_{i}").ToList();
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka,
            $"CREATE TABLE items (id bigint PRIMARY KEY, folder text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(), "
            + $"{string.Join(", ", texts.Select(t => $"{t} text"))}); CREATE INDEX ON items (updated_at, id);",
            configure: o => o with { Datalake = o.Datalake with { PartitionBy = "folder" } });
        await stream.ExecuteAsync(
            $"INSERT INTO items SELECT id, 'f' || id * 7 % {Folders}, now(), "
            + $"{string.Join(", ", texts.Select(t => $"'{t} of row ' || id"))} "
            + $"FROM generate_series(1, {Rows}) id");

        await FitsAsync(stream.Options, PipelineHalf.PostgresToKafka, Rows);
        var output = await FitsAsync(stream.Options, PipelineHalf.KafkaToLake, Rows);

        Assert.Contains("A coarser datalake.partition_by makes fewer and larger files", output);
        Assert.Equal(
            [[$"{Rows}", $"{Rows}", "1", $"{Rows}", "0"]],
            stream.Lake.Rows(
                $"SELECT count(*), count(DISTINCT id), min(id), max(id), count(*) FILTER ({texts[^1]} <> '{texts[^1]} of row ' || id) "
                + $"FROM {stream.Lake.Source}"));
    }

    private void RequireServers()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs /proc, where Linux tells a process' greatest size");
        kafka.RequireReal("it keeps the backlog in a process of its own");
    }

    /// <param name="rows">Rows of backlog.</param>
    /// <param name="name">The name of a row, of its id, in SQL that both databases know.</param>
    private async Task PassesAsync(int rows, string name)
    {
        RequireServers();
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync($"INSERT INTO items SELECT id, {name} FROM generate_series(1, {rows}) id");

        await FitsAsync(stream.Options, PipelineHalf.PostgresToKafka, rows);
        await FitsAsync(stream.Options, PipelineHalf.KafkaToLake, rows);

        Assert.Equal(
            [[$"{rows}", $"{rows}", "1", $"{rows}", "0"]],
            stream.Lake.Rows(
                $"SELECT count(*), count(DISTINCT id), min(id), max(id), count(*) FILTER (name IS DISTINCT FROM {name}) "
                + $"FROM {stream.Lake.Source}"));
    }

    private static async Task<string> FitsAsync(PipelineOptions options, PipelineHalf half, int rows)
    {
        // Where none can be made, the heap is limited as the runtime itself limits it in a container with this limit.
        await using var cgroup = MemoryCgroup.TryCreate(Limit);
        using var run = LocalHostProcess.Start(
            options, ["run", "--once", "--only", half == PipelineHalf.PostgresToKafka ? "postgres-to-kafka" : "kafka-to-lake"],
            configure: cgroup is not null ? cgroup.Hold : start =>
                start.Environment["DOTNET_GCHeapHardLimit"] = (Limit * 3 / 4).ToString("x", CultureInfo.InvariantCulture));
        var (exitCode, output) = await run.EndAsync(Patience);
        // In the cgroup, the kernel kills what wants more than the limit.
        Assert.True(exitCode == 0, $"exit code {exitCode}\n{output}");
        var peak = LocalHostProcess.PeakMiB(output);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{half}, {rows:N0} rows, {(cgroup is null ? "a limited heap" : "in a cgroup")}: {peak} MiB at most");
        // A process' own size counts the pages of programs' files, too, which others have in memory anyway.
        Assert.True(
            cgroup is not null || peak <= Limit / MiB, $"{half} took {peak} MiB for {rows:N0} rows; {Limit / MiB} MiB is the limit");
        return output;
    }
}
