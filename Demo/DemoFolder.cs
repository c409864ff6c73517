using OrdersStream.Diagnostics;

namespace OrdersStream.Demo;

/// <summary>
/// Where the demonstration keeps lake and state. Each run begins anew, and so removes what the run before left; only a folder that bears
/// the demonstration's mark is emptied.
/// </summary>
internal sealed class DemoFolder
{
    private const string MarkName = ".orders-stream-demo";
    private static readonly string[] Parts = ["orders", "checkpoints", "lastprocess"];

    private DemoFolder(string path) => Root = path;

    public string Root { get; }
    public string Lake => Path.Combine(Root, Parts[0]);
    public string Checkpoints => Path.Combine(Root, Parts[1]);
    public string LastProcess => Path.Combine(Root, Parts[2]);

    /// <param name="asked">Null: datalake/demo, which git ignores, in the project's folder where we are in one.</param>
    /// <exception cref="PipelineException">The folder is somebody else's.</exception>
    public static DemoFolder Prepare(string? asked)
    {
        var folder = new DemoFolder(Path.GetFullPath(asked ?? Path.Combine(ProjectFolder() ?? ".", "datalake", "demo")));
        var mark = Path.Combine(folder.Root, MarkName);
        if (Directory.Exists(folder.Root) && !File.Exists(mark) && Directory.EnumerateFileSystemEntries(folder.Root).Any())
            throw new PipelineException(
                FailureAction.Stop,
                $"{folder.Root} holds files that are not the demonstration's.", "Name an empty or a new folder by --dir.");
        Directory.CreateDirectory(folder.Root);
        File.WriteAllText(mark, "Files of the demonstration: each run removes those of the one before.\n");
        foreach (var part in Parts)
            if (Directory.Exists(Path.Combine(folder.Root, part))) Directory.Delete(Path.Combine(folder.Root, part), recursive: true);
        return folder;
    }

    /// <summary>As one would type it here.</summary>
    public static string Shown(string path)
    {
        var relative = Path.GetRelativePath(Directory.GetCurrentDirectory(), path);
        return relative.StartsWith("..", StringComparison.Ordinal) ? path : relative;
    }

    private static string? ProjectFolder()
    {
        for (var d = new DirectoryInfo(Directory.GetCurrentDirectory()); d is not null; d = d.Parent)
            if (File.Exists(Path.Combine(d.FullName, "OrdersStream.slnx"))) return d.FullName;
        return null;
    }
}
