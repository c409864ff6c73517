using OrdersStream.Demo.Servers;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>The files of a server that is stopped.</summary>
internal static class ServerFiles
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task SetNextTransactionAsync(string folder, int epoch, long next)
    {
        var binaries = await PostgresBinaries.FindAsync(Cancellation) ?? throw new InvalidOperationException("no Postgres programs");
        var program = new FileInfo(binaries.Program("pg_ctl"));
        var real = program.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? program.FullName;
        await RunAsync(Path.Combine(Path.GetDirectoryName(real)!, "pg_resetwal"), "-e", $"{epoch}", "-x", $"{next}", "-D", folder);
    }

    public static async Task<string> CopyAsync(string folder)
    {
        var copy = $"{folder}-copy";
        await RunAsync("cp", "-a", folder, copy);
        return copy;
    }

    public static async Task PutBackAsync(string copy, string folder)
    {
        Directory.Delete(folder, recursive: true);
        await RunAsync("mv", copy, folder);
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        var user = await UnprivilegedUser.ForRootAsync(Cancellation);
        string[] command = [program, .. arguments];
        var isServers = program.EndsWith("pg_resetwal", StringComparison.Ordinal);
        var answer = await ChildProgram.TryRunAsync(isServers && user is not null ? user.Command(command) : command, "/", Cancellation);
        if (answer is not { ExitCode: 0 }) throw new InvalidOperationException($"{program} failed: {answer?.Output}");
    }
}
