using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using k8s;
using k8s.Models;
using OrdersStream.Configuration;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>The manifests of deploy/kubernetes as typed objects: a field that the type does not have fails.</summary>
internal static class Manifests
{
    private const string KustomizationName = "kustomization.yaml";

    private static readonly Dictionary<string, Type> CustomTypes = new()
    {
        ["keda.sh/v1alpha1/ScaledObject"] = typeof(ScaledObject),
        ["monitoring.coreos.com/v1/ServiceMonitor"] = typeof(ServiceMonitor),
        ["monitoring.coreos.com/v1/PrometheusRule"] = typeof(PrometheusRule),
    };

    public static string Root { get; } = Path.Combine(ConfigurationFile.Repository, "deploy", "kubernetes");

    /// <summary>All files, by their paths below <see cref="Root"/>.</summary>
    public static IEnumerable<string> Files { get; } =
    [
        .. Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/'))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Folders with a kustomization.</summary>
    public static IEnumerable<string> Kustomized =>
        Files.Where(f => Path.GetFileName(f) == KustomizationName).Select(f => Path.GetDirectoryName(f)!.Replace('\\', '/'));

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    public static Kustomization KustomizationOf(string folder) =>
        KubernetesYaml.Deserialize<Kustomization>(Read($"{folder}/{KustomizationName}"), strict: true);

    public static List<object> Parse(string yaml) => KubernetesYaml.LoadAllFromString(yaml, CustomTypes, strict: true);

    /// <summary>The one object of its type in a file.</summary>
    public static T One<T>(string file) => Parse(Read(file)).OfType<T>().Single();

    /// <summary>What a folder's kustomization leads to, patches not carried out: file by file.</summary>
    public static IEnumerable<(string File, object Object)> Collect(string folder)
    {
        var kustomization = KustomizationOf(folder);
        foreach (var name in kustomization.Resources.Concat(kustomization.Components))
        {
            var path = Resolve(folder, name);
            if (Directory.Exists(Path.Combine(Root, path)))
                foreach (var found in Collect(path)) yield return found;
            else
                foreach (var found in Parse(Read(path))) yield return (path, found);
        }
    }

    public static string Resolve(string folder, string name) =>
        Path.GetRelativePath(Root, Path.GetFullPath(Path.Combine(Root, folder, name))).Replace('\\', '/');

    public static (string Kind, string Name) Identity(object resource) => resource switch
    {
        IKubernetesObject<V1ObjectMeta> o => (o.Kind, o.Metadata.Name),
        ScaledObject o => (o.Kind!, o.Metadata.Name),
        ServiceMonitor o => (o.Kind!, o.Metadata.Name),
        PrometheusRule o => (o.Kind!, o.Metadata.Name),
        _ => throw new InvalidOperationException($"{resource.GetType()} has no name"),
    };

    /// <summary>What the pods find in their environment.</summary>
    public static Dictionary<string, string> Environment()
    {
        var files = KustomizationOf("base");
        return files.ConfigMapGenerator.Concat(files.SecretGenerator).SelectMany(g => g.Envs).SelectMany(EnvironmentOf)
            .ToDictionary(p => p[0], p => p[1]);
    }

    /// <summary>What the program makes of that.</summary>
    public static PipelineOptions Options() => Load(Environment());

    /// <summary>What the program makes of an environment, with the configuration of its image.</summary>
    public static PipelineOptions Load(IReadOnlyDictionary<string, string> environment) => ConfigurationLoader.Load(
        Path.Combine(ConfigurationFile.Repository, "configs", "orders_stream.yml"), [], environment.ToDictionary(), null);

    /// <summary>Whether the program takes it: with another value it is told something else by it, or refuses that.</summary>
    /// <param name="environment">All that it is given, and can be used.</param>
    public static bool IsTaken(string name, IReadOnlyDictionary<string, string> environment) => IsTaken(name, environment, Load);

    /// <summary>The same of a program that loads its configuration in another way.</summary>
    public static bool IsTaken(
        string name, IReadOnlyDictionary<string, string> environment, Func<IReadOnlyDictionary<string, string>, PipelineOptions> load)
    {
        var told = Told(environment);
        try
        {
            return Told(new Dictionary<string, string>(environment) { [name] = environment[name] + "1" }) != told;
        }
        catch (ConfigurationException)
        {
            return true;
        }

        string Told(IReadOnlyDictionary<string, string> environment) => JsonSerializer.Serialize(load(environment));
    }

    /// <summary>As kubectl makes them of a folder; null: there is no kubectl.</summary>
    public static async Task<IReadOnlyList<object>?> RenderAsync(string folder)
    {
        var start = new ProcessStartInfo("kubectl", ["kustomize", Path.Combine(Root, folder)])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync();
            Assert.True(process.ExitCode == 0, $"kubectl kustomize {folder} ended with {process.ExitCode}: {await errors}");
            Assert.Equal("", await errors);
            return Parse(await output);
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    /// <summary>Whether a selector meets who has these labels; one that says nothing would meet all, which nobody wants here.</summary>
    public static bool Selects(IDictionary<string, string> selector, IDictionary<string, string> labels) =>
        selector.Count > 0 && selector.All(s => labels.TryGetValue(s.Key, out var value) && value == s.Value);

    /// <summary>Seconds of 10s, 5m, 3h.</summary>
    public static int Seconds(string duration) =>
        int.Parse(duration[..^1], CultureInfo.InvariantCulture) * duration[^1] switch { 's' => 1, 'm' => 60, 'h' => 3_600, _ => 0 };

    private static IEnumerable<string[]> EnvironmentOf(string file) =>
        Read($"base/{file}").Split('\n').Where(l => l != "" && l[0] != '#').Select(l => l.Split('=', 2));
}
