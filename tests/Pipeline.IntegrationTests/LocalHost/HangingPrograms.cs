using OrdersStream.TestKit;

namespace OrdersStream.IntegrationTests.LocalHost;

/// <summary>A folder of Postgres programs of which <c>initdb</c> never ends.</summary>
internal sealed class HangingPrograms : IDisposable
{
    private readonly TestFolder folder = new();

    public HangingPrograms()
    {
        if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException();
        // Where the test is root, its server's programs are another user's.
        File.SetUnixFileMode(Directory, (UnixFileMode)0b111_111_111);
        Add("postgres", "echo 'postgres (PostgreSQL) 15.0'");
        Add("pg_ctl", "exit 1");
        Add("initdb", $"echo \"$$ $2\" > '{Begun}.new' && mv '{Begun}.new' '{Begun}' && exec sleep 600");
    }

    public string Directory => folder.Path;

    private string Begun => Path.Combine(Directory, "begun");

    /// <summary>Until initdb runs.</summary>
    /// <returns>Its process id, and the folder that it was to fill.</returns>
    public async Task<(int ProcessId, string Data)> UntilInitdbHangsAsync(Task starting)
    {
        await Waiting.UntilAsync(() => File.Exists(Begun), starting, () => "initdb was not started");
        var begun = (await File.ReadAllTextAsync(Begun, TestContext.Current.CancellationToken)).Trim().Split(' ', 2);
        return (int.Parse(begun[0]), begun[1]);
    }

    public void Dispose() => folder.Dispose();

    private void Add(string name, string script)
    {
        var path = Path.Combine(Directory, name);
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
    }
}
