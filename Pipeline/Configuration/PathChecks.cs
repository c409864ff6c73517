using System.Text.RegularExpressions;

namespace OrdersStream.Configuration;

/// <summary>
/// Files that must be there, and folders that must not lie in one another: a reader that globs the lake would meet state
/// files, and the pruning of state would meet data (invariant 4).
/// </summary>
internal sealed partial class PathChecks(PipelineOptions options, ResolvedSettings resolved, FaultList faults)
{
    private static readonly StringComparison PathComparison =
        OperatingSystem.IsLinux() ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase;

    public void Run()
    {
        CheckFile("postgres.password_file", options.Postgres.PasswordFile);
        CheckFile("kafka.sasl_password_file", options.Kafka.SaslPasswordFile);
        CheckFile("kafka.ssl_key_password_file", options.Kafka.SslKeyPasswordFile);
        CheckFile("postgres.sslrootcert", options.Postgres.Sslrootcert,
            "; without sslrootcert the authorities that the system trusts are used");
        CheckFile("postgres.sslcert", options.Postgres.Sslcert);
        CheckFile("postgres.sslkey", options.Postgres.Sslkey);
        CheckFile("kafka.ssl_ca_location", options.Kafka.SslCaLocation,
            "; without ssl_ca_location the authorities that the system trusts are used");
        CheckFile("kafka.ssl_certificate_location", options.Kafka.SslCertificateLocation);
        CheckFile("kafka.ssl_key_location", options.Kafka.SslKeyLocation);

        var lake = options.Datalake.Path;
        var checkpoint = options.Streaming.CheckpointLocation;
        var lastProcessed = options.Streaming.LastProcessedTimestampLocation;
        CheckLocal("datalake.path", lake);
        CheckLocal("streaming.checkpoint_location", checkpoint);
        CheckLocal("streaming.last_processed_timestamp_location", lastProcessed);
        CheckApart("streaming.checkpoint_location", checkpoint, lake);
        CheckApart("streaming.last_processed_timestamp_location", lastProcessed, lake);
    }

    private void CheckFile(string name, string? path, string advice = "")
    {
        if (path is null || resolved.OriginOf(name) is not { } origin) return;
        try
        {
            using var file = File.OpenRead(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            faults.Add(origin, $"{name} names {ShownValue.Of(path)}, and there is no such file{advice}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            faults.Add(origin, $"{name} names {ShownValue.Of(path)}, which cannot be read{advice}");
        }
    }

    /// <summary>A URL would otherwise become a folder that is named like one.</summary>
    private void CheckLocal(string name, string path)
    {
        var scheme = path.IndexOf(":/", StringComparison.Ordinal); // beyond a drive's letter
        if (scheme > 1 && path.AsSpan(0, scheme).IndexOf('/') < 0 && resolved.OriginOf(name) is { } origin)
            faults.Add(origin,
                $"{name} is a {ShownValue.Of(path[..scheme])} URL; it must be a folder, as this machine or a mount shows it");
        else if (NotReplaced(path) is { } mark && resolved.OriginOf(name) is { } written)
            faults.Add(written,
                $"{name} is {ShownValue.Of(path)}, and {ShownValue.Of(mark)} stands for nothing here; write the folder out, "
                + "or ${NAME} for an environment variable, as in ${HOME}/lake");
        else if (path.Split('/', '\\').Any(part => part.Length > 0 && char.IsWhiteSpace(part[^1])) && resolved.OriginOf(name) is { } blank)
            faults.Add(blank, $"{name} is {ShownValue.OfPath(path)}, and a folder's name in it ends in a blank; remove the blank");
        else if (FileOnTheWay(path) is { } file && resolved.OriginOf(name) is { } given)
            faults.Add(given,
                $"{name} needs a folder, but {ShownValue.OfPath(file)} is a file; move it away, or name another folder");
    }

    /// <summary>What a shell would replace, or another system takes for a folder, and what would be a folder's own name here.</summary>
    private static string? NotReplaced(string path)
    {
        if (!OperatingSystem.IsWindows() && (path.Contains('\\') || (path.Length > 1 && path[1] == ':'))) return path;
        return path.Split('/', '\\').FirstOrDefault(part => part is ['~', ..] || Replaced().IsMatch(part));
    }

    // $NAME, $(command), %NAME%, and the marks of templates.
    [GeneratedRegex(@"\$[A-Za-z_({]|%[A-Za-z_][A-Za-z0-9_]*%|\{\{|\A\$")]
    private static partial Regex Replaced();

    private static string? FileOnTheWay(string path)
    {
        if (path.Length == 0) return null;
        for (var at = Path.GetFullPath(path); at is not null; at = Path.GetDirectoryName(at))
            if (File.Exists(at)) return at;
            else if (Directory.Exists(at)) break;
        return null;
    }

    private void CheckApart(string name, string state, string lake)
    {
        if (resolved.OriginOf(name) is not { } origin || resolved.OriginOf("datalake.path") is not { } lakeOrigin) return;
        var relation = (Contains(lake, state), Contains(state, lake)) switch
        {
            (true, true) => "is the same folder as",
            (true, false) => "lies inside",
            (false, true) => "holds",
            _ => null,
        };
        if (relation is not null)
            faults.Add(origin, $"{name} ({ShownValue.Of(state)}) {relation} datalake.path ({ShownValue.Of(lake)}, {lakeOrigin}); "
                + "put them beside one another, so that a reader of the lake meets no state files");
    }

    private static bool Contains(string outer, string inner) => Full(inner).StartsWith(Full(outer), PathComparison);

    private static string Full(string path)
    {
        var full = Path.GetFullPath(path);
        return Path.EndsInDirectorySeparator(full) ? full : full + Path.DirectorySeparatorChar;
    }
}
