using System.Diagnostics;
using System.Text.RegularExpressions;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Oracles;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.IntegrationTests.Demo;

/// <summary>The main command as a process of its own, as a newcomer runs it.</summary>
public sealed class DemonstrationTests : IDisposable
{
    private readonly TestFolder folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Demo => folder.PathOf("demo");

    [Fact]
    public async Task it_ends_with_an_equal_lake_and_a_second_run_begins_anew()
    {
        for (var run = 1; run <= 2; run++)
        {
            using var process = Start("--seconds", "2", "--rate", "50", "--dir", Demo);
            var (exitCode, output) = await process.EndAsync();
            Assert.True(exitCode == 0, output);
            Assert.Contains("missing 0, different 0, too many 0, stored twice 0   equal", output);
            Assert.Equal(3, output.Split("arrived: yes").Length - 1);
            Assert.Contains("stayed away: yes", output);
            Assert.DoesNotContain('\e', output);
            Assert.Contains("Watch it at http://127.0.0.1:", output);
            Assert.NotEmpty(Directory.GetFiles(Demo, "*.parquet", SearchOption.AllDirectories));
            // The last hint, as it is printed: each order once.
            var query = Regex.Match(output, "duckdb -c \"([^\"]+)\"").Groups[1].Value;
            var orders = Regex.Match(output, "([0-9,]+) rows in the table").Groups[1].Value.Replace(",", "");
            Assert.Equal(orders, $"{new LakeReader(Demo).Rows(query).Sum(row => long.Parse(row[1]!))}");
        }
    }

    [Fact]
    public async Task on_a_terminal_its_page_stays_until_a_key_is_pressed()
    {
        const string Script = "/usr/bin/script";
        Assert.SkipUnless(OperatingSystem.IsLinux() && File.Exists(Script), $"needs util-linux' {Script}, which makes a terminal");
        var command = $"dotnet '{typeof(DemoVerb).Assembly.Location}' --seconds 1 --rate 50 --dir '{Demo}'";
        using var process = new RunningProgram(
            new ProcessStartInfo(Script, ["-qfec", command, "/dev/null"]) { RedirectStandardInput = true });
        string line;
        do line = await process.ReadLineAsync();
        while (!line.Contains("until you press a key", StringComparison.Ordinal));
        using var page = new HttpClient { BaseAddress = new Uri(Regex.Match(line, "http://[0-9.:]+/").Value) };
        var status = "";
        await Waiting.UntilAsync(
            async () => (status = await page.GetStringAsync("api/status", Token)).Contains("\"health\":\"well\"", StringComparison.Ordinal),
            running: null, () => status);
        Assert.False(process.HasExited);
        await process.TypeAsync("x");
        var (exitCode, output) = await process.EndAsync();
        Assert.True(exitCode == 0, output);
        await Assert.ThrowsAsync<HttpRequestException>(() => page.GetStringAsync("api/status", Token));
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task a_signal_ends_it_cleanly(string signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs Unix signals");
        using var process = Start("--seconds", "1000", "--dir", Demo);
        var server = await ServerOfAsync(process);
        await process.SignalAsync(signal);
        var (exitCode, output) = await process.EndAsync();
        Assert.True(exitCode == 0, output);
        Assert.EndsWith("Stopped.", output.TrimEnd());
        Assert.False(Processes.IsAlive(server));
    }

    [Fact]
    public async Task even_when_it_is_killed_no_server_is_left()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs Unix signals");
        using var process = Start("--seconds", "1000", "--dir", Demo);
        var server = await ServerOfAsync(process);
        await process.SignalAsync("KILL");
        await process.EndAsync();
        await Waiting.UntilAsync(() => !Processes.IsAlive(server), running: null, () => "the server outlives its owner");
    }

    [Fact]
    public async Task a_folder_with_other_files_is_left_alone()
    {
        Directory.CreateDirectory(Demo);
        await File.WriteAllTextAsync(Path.Combine(Demo, "mine.txt"), "x", Token);
        using var process = Start("--dir", Demo);
        var (exitCode, output) = await process.EndAsync();
        Assert.Equal(1, exitCode);
        Assert.Contains("not the demonstration's", output);
        Assert.Equal(["mine.txt"], Directory.GetFileSystemEntries(Demo).Select(Path.GetFileName));
    }

    public void Dispose() => folder.Dispose();

    private static RunningProgram Start(params string[] arguments) =>
        new(new ProcessStartInfo("dotnet", [typeof(DemoVerb).Assembly.Location, .. arguments]));

    /// <summary>The process id of its private server, once the traffic runs.</summary>
    private static async Task<int> ServerOfAsync(RunningProgram process)
    {
        await process.UntilSaidAsync("Ctrl+C");
        Assert.False(process.HasExited);
        var candidates = Directory.GetDirectories("/tmp", "orders-stream-pg-*");
        foreach (var candidate in candidates.Concat(Directory.GetDirectories(Path.GetTempPath(), "orders-stream-pg-*")))
            if (OwnerOf(candidate).Contains($":{process.Id},", StringComparison.Ordinal))
                return int.Parse((await File.ReadAllLinesAsync(Path.Combine(candidate, "data", "postmaster.pid"), Token))[0]);
        throw new InvalidOperationException("the demonstration runs without a server folder");
    }

    /// <summary>
    /// Who a server's folder belongs to; empty: it is just being made or removed, as those of other processes are at any time.
    /// </summary>
    private static string OwnerOf(string folder)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, "owner.json"));
        }
        catch (IOException)
        {
            return "";
        }
    }
}
