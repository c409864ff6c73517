using OrdersStream.Configuration;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// The configuration of an app whose halves a platform triggers: no command line, and a working folder that the platform chooses.
/// </summary>
public static class FunctionsConfiguration
{
    /// <summary>Names the YAML file.</summary>
    public const string FileVariable = "ORDERS_STREAM_CONFIG";

    private const string DefaultFile = "configs/orders_stream.yml";

    /// <summary>
    /// Reads and checks everything before any trigger runs. A relative name of the file is looked for in the app's folder and in each
    /// above it; relative paths in the file are taken from the folder above its own, so that they lead to the same place from wherever
    /// the app runs.
    /// </summary>
    /// <param name="appFolder">Where the app's own files lie.</param>
    /// <param name="environment">Overrides, <c>${NAME}</c>, and what the triggers take.</param>
    /// <param name="build">How this build's Kafka trigger talks to the brokers.</param>
    /// <exception cref="ConfigurationException">With every fault found.</exception>
    public static PipelineOptions Load(string appFolder, IReadOnlyDictionary<string, string> environment, KafkaTriggerBuild build)
    {
        var name = environment.TryGetValue(FileVariable, out var given) && !string.IsNullOrWhiteSpace(given) ? given : DefaultFile;
        var file = Find(appFolder, name) ?? throw new ConfigurationException(
        [
            new(FileVariable, $"there is no '{name}'{(Path.IsPathRooted(name) ? "" : $" in '{appFolder}' or a folder above it")}; "
                + $"set {FileVariable} to the path of the YAML file"),
        ]);
        var home = Path.GetDirectoryName(Path.GetDirectoryName(file)) ?? Path.GetPathRoot(file)!;
        return ConfigurationLoader.Load(
            file, [], environment, null, home,
            (options, resolved, faults) => new FunctionsSettings(environment, build, options, resolved, faults).Check());
    }

    private static string? Find(string appFolder, string name)
    {
        if (Path.IsPathRooted(name)) return File.Exists(name) ? name : null;
        for (var folder = Path.GetFullPath(appFolder); folder is not null; folder = Path.GetDirectoryName(folder))
            if (Path.GetFullPath(name, folder) is var file && File.Exists(file)) return file;
        return null;
    }
}
