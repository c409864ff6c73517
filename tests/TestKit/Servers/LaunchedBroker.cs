using System.Diagnostics;
using System.Text;
using OrdersStream.Demo.Servers;

namespace OrdersStream.TestKit.Servers;

/// <summary>
/// A real broker that a launcher script starts in a temporary folder. A small shell watches over it: it reads a pipe that
/// only this process holds, so that however this process ends, the pipe ends too and the shell stops the broker.
/// </summary>
public sealed class LaunchedBroker : IAsyncDisposable
{
    private const int StartsMax = 4;

    // Brokers that start take all of the machine: several at once would only make each of them slow.
    private static readonly SemaphoreSlim Starting = new(2);

    private readonly string launcher;
    private readonly string folder;
    private readonly Process guard;

    private LaunchedBroker(string launcher, string folder, Process guard) =>
        (this.launcher, this.folder, this.guard) = (launcher, folder, guard);

    public string Address { get; private set; } = "";

    /// <param name="launcher">The script.</param>
    /// <param name="properties">Settings of the broker, KEY=VALUE; or --zookeeper.</param>
    public static async Task<LaunchedBroker> StartAsync(string launcher, params string[] properties)
    {
        var folder = NewFolder();
        var broker = new LaunchedBroker(launcher, folder, StartGuard(launcher, folder));
        try
        {
            broker.Address = await broker.StartAsync(properties);
            return broker;
        }
        catch
        {
            await broker.DisposeAsync();
            throw;
        }
    }

    private static string NewFolder()
    {
        const string name = "orders-stream-kafka-";
        return ServerFolder.InMemory is { } memory
            ? Directory.CreateDirectory(Path.Combine(memory, UniqueName.Of(name))).FullName
            : Directory.CreateTempSubdirectory(name).FullName;
    }

    /// <summary>A setting in force, as the broker's own file has it: the last line counts.</summary>
    public string Setting(string name) =>
        File.ReadLines(Path.Combine(folder, "server.properties"))
            .Last(line => line.StartsWith($"{name}=", StringComparison.Ordinal))[(name.Length + 1)..];

    /// <summary>SIGKILL to the broker; its data stay.</summary>
    public Task KillAsync() => RunAsync(["kill", folder], answers: false);

    /// <summary>Starts a broker that was killed, on the same data and address.</summary>
    public Task StartAgainAsync() => StartAsync([]);

    /// <summary>Keeps a copy of its volume as it is at one moment: the broker stands still meanwhile, and knows nothing of it.</summary>
    public async Task CopyDataAsync()
    {
        Pause();
        try
        {
            await CopyAsync("data", "copy");
        }
        finally
        {
            Continue();
        }
    }

    /// <summary>Kills it, and starts it again on the copy of its volume: it knows nothing of what came after.</summary>
    public async Task PutBackDataAsync()
    {
        await KillAsync();
        await CopyAsync("copy", "data");
        await StartAgainAsync();
    }

    /// <summary>Its disk changes some bytes of what it keeps of a topic; it stands still meanwhile, and knows nothing of it.</summary>
    /// <returns>So many times.</returns>
    public int ChangeLogs(string topic, string from, string to)
    {
        Pause();
        try
        {
            return Directory.EnumerateFiles(Path.Combine(folder, "data"), "*.log", SearchOption.AllDirectories)
                .Where(f => Path.GetFileName(Path.GetDirectoryName(f)!).StartsWith($"{topic}-", StringComparison.Ordinal))
                .Sum(file => Change(file, Encoding.ASCII.GetBytes(from), Encoding.ASCII.GetBytes(to)));
        }
        finally
        {
            Continue();
        }
    }

    /// <summary>SIGSTOP: it does nothing more, and all that is sent to it waits.</summary>
    public void Pause() => Signal("STOP");

    /// <summary>SIGCONT: it goes on as if nothing had been.</summary>
    public void Continue() => Signal("CONT");

    public async ValueTask DisposeAsync()
    {
        guard.StandardInput.Close();
        await guard.WaitForExitAsync();
        guard.Dispose();
    }

    /// <summary>
    /// The launcher gives a broker some seconds to answer, and one that comes back may find its name taken until its old session has timed
    /// out: on a busy machine either takes longer, and it is started once more.
    /// </summary>
    private async Task<string> StartAsync(string[] properties)
    {
        await Starting.WaitAsync();
        try
        {
            for (var start = 1;; start++)
            {
                try
                {
                    return await RunAsync(["start", folder, .. properties]);
                }
                catch (InvalidOperationException) when (start < StartsMax)
                {
                    await KillAsync();
                }
            }
        }
        finally
        {
            Starting.Release();
        }
    }

    private async Task<string> RunAsync(string[] arguments, bool answers = true)
    {
        using var timeout = new CancellationTokenSource(Waiting.Patience);
        using var process = Process.Start(new ProcessStartInfo(launcher, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        process.StandardInput.Close();
        // One line only: the broker that is left running may hold the other end of these pipes.
        var answer = answers ? await process.StandardOutput.ReadLineAsync(timeout.Token) : "done";
        await process.WaitForExitAsync(timeout.Token);
        if (process.ExitCode != 0 || string.IsNullOrWhiteSpace(answer))
            throw new InvalidOperationException(
                $"{TestEnvironment.KafkaLauncher}={launcher}: {arguments[0]} failed (exit code {process.ExitCode}): "
                + $"{await process.StandardError.ReadToEndAsync(timeout.Token)}\nthe broker's last lines:\n{EndOfLog()}");
        return answer.Trim();
    }

    private static int Change(string file, byte[] from, byte[] to)
    {
        using var log = new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var content = new byte[log.Length];
        log.ReadExactly(content);
        var changes = 0;
        for (var at = 0; content.AsSpan(at).IndexOf(from) is >= 0 and var next; at += next + 1, changes++)
        {
            log.Position = at + next;
            log.Write(to);
        }
        return changes;
    }

    private async Task CopyAsync(string from, string to)
    {
        var (source, target) = (Path.Combine(folder, from), Path.Combine(folder, to));
        if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
        using var copy = Process.Start("cp", ["-a", source, target]);
        await copy.WaitForExitAsync();
        if (copy.ExitCode != 0) throw new InvalidOperationException($"{source} could not be copied");
    }

    private void Signal(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", File.ReadAllText(Path.Combine(folder, "pid")).Trim()]);
        kill.WaitForExit();
        if (kill.ExitCode != 0) throw new InvalidOperationException($"the broker in {folder} could not be sent SIG{signal}");
    }

    /// <summary>What the broker said last.</summary>
    private string EndOfLog()
    {
        var log = Path.Combine(folder, "kafka.log");
        return File.Exists(log) ? string.Join('\n', File.ReadLines(log).TakeLast(30)) : "";
    }

    private static Process StartGuard(string launcher, string folder)
    {
        const string Script = "trap '' INT TERM HUP; cat > /dev/null; \"$0\" stop \"$1\" > /dev/null 2>&1; rm -rf \"$1\"";
        return Process.Start(new ProcessStartInfo("sh", ["-c", Script, launcher, folder]) { RedirectStandardInput = true })!;
    }
}
