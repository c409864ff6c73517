using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using OrdersStream.Demo.Servers;

namespace OrdersStream.TestKit.Programs;

/// <summary>
/// LocalHost as it is installed: published, in Release, as native code where this machine can link it. That takes minutes of processor
/// time, so it is made once for the sources as they are: it lies under <c>artifacts/</c> in a folder that is named by their hash, and
/// whoever needs it while another makes it waits for that.
/// </summary>
public static class NativeBuild
{
    private const string Program = "orders-stream";

    private static readonly string Cache = Repository.PathOf("artifacts/published");

    // What is published is made of none of these.
    private static readonly string[] Others = ["tests", "docs", "datalake", "artifacts", "TestResults"];
    private static readonly string[] Outputs = ["bin", "obj"];

    /// <summary>The program's path.</summary>
    /// <exception cref="InvalidOperationException">It cannot be published.</exception>
    public static async Task<string> ProgramAsync(CancellationToken cancellationToken)
    {
        var folder = Path.Combine(Cache, SourcesHash());
        var program = Path.Combine(folder, Program);
        Directory.CreateDirectory(Cache);
        await using var turn = await TakeTurnAsync(cancellationToken);
        if (!File.Exists(program)) await PublishAsync(folder, cancellationToken);
        return program;
    }

    /// <summary>One process at a time; the system ends the turn of one that dies.</summary>
    private static async Task<FileStream> TakeTurnAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return new FileStream(Path.Combine(Cache, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(500), cancellationToken);
            }
        }
    }

    /// <summary>What is there is whole: it comes under its name when it is done. What was made of other sources goes.</summary>
    private static async Task PublishAsync(string folder, CancellationToken cancellationToken)
    {
        foreach (var old in Directory.GetDirectories(Cache)) Directory.Delete(old, recursive: true);
        // All that is built lies in a folder of its own: the tests run from what was built before, and the restore is another one.
        using var built = new TestFolder("published");
        var made = folder + ".new";
        var end = await ChildProgram.TryRunAsync(
            ["dotnet", "publish", Repository.PathOf("LocalHost/LocalHost.csproj"), "-c", "Release", "-o", made,
             "--artifacts-path", built.Path, "--nologo", "-v", "quiet", "-nodeReuse:false", "-p:UseSharedCompilation=false"],
            null, cancellationToken);
        if (end is not { ExitCode: 0 })
            throw new InvalidOperationException($"dotnet publish failed: {end?.Output ?? "dotnet is not on the PATH"}");
        Directory.Move(made, folder);
    }

    private static string SourcesHash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add($"{RuntimeInformation.FrameworkDescription} {RuntimeInformation.RuntimeIdentifier}");
        foreach (var file in Sources().Order(StringComparer.Ordinal))
        {
            Add(Path.GetRelativePath(Repository.Root, file));
            hash.AppendData(File.ReadAllBytes(file));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];

        void Add(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>All that the program may be made of, and little else.</summary>
    private static IEnumerable<string> Sources() =>
        FilesOf(Repository.Root).Concat(FoldersOf(Repository.Root).Where(d => !Others.Contains(Path.GetFileName(d))).SelectMany(In));

    private static IEnumerable<string> In(string folder) =>
        FilesOf(folder).Concat(FoldersOf(folder).Where(d => !Outputs.Contains(Path.GetFileName(d))).SelectMany(In));

    private static IEnumerable<string> FilesOf(string folder) =>
        Directory.GetFiles(folder).Where(f => IsVisible(f) && !f.EndsWith(".md", StringComparison.Ordinal));

    private static IEnumerable<string> FoldersOf(string folder) => Directory.GetDirectories(folder).Where(IsVisible);

    private static bool IsVisible(string path) => !Path.GetFileName(path).StartsWith('.');
}
