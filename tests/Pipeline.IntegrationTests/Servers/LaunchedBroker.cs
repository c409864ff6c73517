using System.Diagnostics;

namespace OrdersStream.IntegrationTests.Servers;

/// <summary>
/// A real broker that a launcher script starts in a temporary folder. A small shell watches over it: it reads a pipe that
/// only this process holds, so that however this process ends, the pipe ends too and the shell stops the broker.
/// </summary>
public sealed class LaunchedBroker : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(1);

    private readonly Process guard;

    private LaunchedBroker(string address, Process guard) => (Address, this.guard) = (address, guard);

    public string Address { get; }

    public static async Task<LaunchedBroker> StartAsync(string launcher)
    {
        var folder = Directory.CreateTempSubdirectory("orders-stream-kafka-").FullName;
        var guard = StartGuard(launcher, folder);
        try
        {
            return new LaunchedBroker(await StartBrokerAsync(launcher, folder), guard);
        }
        catch
        {
            await EndAsync(guard);
            throw;
        }
    }

    public async ValueTask DisposeAsync() => await EndAsync(guard);

    private static async Task<string> StartBrokerAsync(string launcher, string folder)
    {
        using var timeout = new CancellationTokenSource(StartTimeout);
        using var process = Process.Start(new ProcessStartInfo(launcher, ["start", folder])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        process.StandardInput.Close();
        // One line only: the broker that is left running may hold the other end of these pipes.
        var address = await process.StandardOutput.ReadLineAsync(timeout.Token);
        await process.WaitForExitAsync(timeout.Token);
        if (process.ExitCode != 0 || string.IsNullOrWhiteSpace(address))
            throw new InvalidOperationException(
                $"{TestEnvironment.KafkaLauncher}={launcher} started no broker (exit code {process.ExitCode}): {await process.StandardError.ReadToEndAsync(timeout.Token)}");
        return address.Trim();
    }

    private static Process StartGuard(string launcher, string folder) =>
        Process.Start(new ProcessStartInfo("sh", ["-c", "trap '' INT TERM HUP; cat > /dev/null; \"$0\" stop \"$1\" > /dev/null 2>&1; rm -rf \"$1\"", launcher, folder])
        {
            RedirectStandardInput = true,
        })!;

    private static async Task EndAsync(Process guard)
    {
        guard.StandardInput.Close();
        await guard.WaitForExitAsync();
        guard.Dispose();
    }
}
