using System.Globalization;
using System.Text.RegularExpressions;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Hosting.Functions;
using OrdersStream.UnitTests.Configuration;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Hosting.Functions;

/// <summary>How many records of a width fit into one message to the worker.</summary>
public sealed partial class BatchLimitTests : IDisposable
{
    private const long HeapOfCompose = 644_245_094;
    private static readonly Dictionary<string, string> Nothing = [];

    private readonly TempFolder folder = new();

    [Theory]
    [InlineData("""{ "extensions": { "kafka": { "maxBatchSize": 10000 } } }""", null, 10_000)]
    [InlineData("""{ "extensions": { "kafka": { "maxBatchSize": 10000 } } /* a comment */ }""", "4000", 4_000)]
    [InlineData("""{ "extensions": { "kafka": { } } }""", null, 64)]
    [InlineData("""{ }""", null, 64)]
    [InlineData(null, "7", 7)]
    [InlineData(null, null, 64)]
    public void the_number_of_records_is_what_the_host_takes(string? host, string? variable, int records)
    {
        if (host is not null) File.WriteAllText(folder["host.json"], host);
        var environment = new Dictionary<string, string>();
        if (variable is not null) environment["azurefunctionsjobhost__extensions__kafka__maxbatchsize"] = variable;
        Assert.Equal(records, BatchLimit.Of(folder[""], environment, HeapOfCompose).Records);
    }

    // Seen: 18 MB pass at this heap, 33 to 41 do not.
    [Theory]
    [InlineData(HeapOfCompose, 1_780, true)]
    [InlineData(HeapOfCompose, 1_800, false)]
    [InlineData(HeapOfCompose, 4_100, false)]
    [InlineData(4 * HeapOfCompose, 4_100, true)]
    [InlineData(1_000 * HeapOfCompose, 8_000, false)]
    public void bytes_are_bounded_by_the_memory_and_by_what_a_message_carries(long heap, double rowBytes, bool holds)
    {
        var limit = Of(10_000, heap);
        if (holds) limit.Check(rowBytes);
        else Assert.Equal(FailureAction.Stop, Assert.Throws<PipelineException>(() => limit.Check(rowBytes)).Action);
    }

    [Theory]
    [InlineData(4_100, 4_300)]
    [InlineData(40_000, 440)]
    [InlineData(900_000, 19)]
    [InlineData(90_000_000, 1)]
    public void the_remedy_names_a_number_that_holds(double rowBytes, int records)
    {
        var limit = Of(10_000, HeapOfCompose);
        var wrong = Assert.Throws<PipelineException>(() => limit.Check(rowBytes));
        Assert.StartsWith($"Set {BatchLimit.Variable} to {records}, ", wrong.Remedy, StringComparison.Ordinal);
        if (records > 1) Of(records, HeapOfCompose).Check(rowBytes);
    }

    [Fact]
    public void the_documents_table_has_what_holds()
    {
        var percent = new ComposeFile().Environment("functions")["DOTNET_GCHeapHardLimitPercent"];
        var heapPart = Convert.ToInt32(percent, 16) / 100.0;
        File.Copy(Path.Combine(ConfigurationFile.Repository, "FunctionApp", "host.json"), folder["host.json"]);
        var rows = Row().Matches(ComposeFile.RepositoryFile("docs", "functions.md"));
        Assert.Equal(3, rows.Count);
        foreach (Match row in rows)
        {
            var heap = BytesOf(row.Groups["memory"].Value) * heapPart;
            var limit = BatchLimit.Of(folder[""], Nothing, (long)heap);
            var shown = row.Groups["heap"].Value;
            // Shown with as many digits as it has there.
            Assert.InRange(BytesOf(shown), heap * 0.97, heap * 1.03);
            Assert.Equal(row.Groups["batch"].Value, (limit.Bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture));
            Assert.Equal(row.Groups["row"].Value, (limit.Bytes / 1e3 / limit.Records).ToString("0.0", CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public void rows_that_grow_stop_capture_and_it_stays_so()
    {
        var width = new BatchWidth(Of(10_000, HeapOfCompose));
        for (var poll = 0; poll < 20; poll++) Polled(width, 1_000, 1_000);
        // Half of the last ten thousand rows are wide by now.
        for (var poll = 0; poll < 4; poll++) Polled(width, 1_000, 2_500);
        Assert.Throws<PipelineException>(() => { for (var poll = 0; poll < 6; poll++) Polled(width, 1_000, 2_500); });
        Assert.Throws<PipelineException>(width.Check);
    }

    [Fact]
    public void a_few_large_rows_are_no_batch()
    {
        var width = new BatchWidth(Of(10_000, HeapOfCompose));
        for (var poll = 0; poll < 9; poll++) Polled(width, 100, 8_000);
        Polled(width, 10_000, 300);
        width.Check();
    }

    [Fact]
    public void one_long_poll_is_as_wide_as_its_rows_are_on_average()
    {
        var width = new BatchWidth(Of(10_000, HeapOfCompose));
        Polled(width, 1_000_000, 1_700);
        Polled(width, 0, 0);
        Assert.Throws<PipelineException>(() => Polled(width, 2_000_000, 1_900));
    }

    public void Dispose() => folder.Dispose();

    private BatchLimit Of(int records, long heap)
    {
        File.WriteAllText(folder["host.json"], $$"""{ "extensions": { "kafka": { "maxBatchSize": {{records}} } } }""");
        return BatchLimit.Of(folder[""], Nothing, heap);
    }

    private static double BytesOf(string memory) =>
        double.Parse(memory.Split(' ')[0], CultureInfo.InvariantCulture)
        * Math.Pow(1024, memory.EndsWith("GiB", StringComparison.Ordinal) ? 3 : 2);

    [GeneratedRegex(
        @"^\| (?<memory>\d+ [MG]iB)[^(|]*\((?<heap>[\d.]+ [MG]iB)\)[^|]*\| (?<batch>[\d.]+) MB \| (?<row>[\d.]+) kB \|$",
        RegexOptions.Multiline)]
    private static partial Regex Row();

    private static void Polled(BatchWidth width, int rows, int rowBytes)
    {
        width.Polled(new PollResult(PollOutcome.Published, rows, (long)rows * rowBytes, 1, true, TimeSpan.Zero));
        width.Check();
    }
}
