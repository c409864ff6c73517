using System.Collections.Immutable;
using System.Text;
using System.Text.RegularExpressions;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Postgres;

namespace OrdersStream.Doctor;

/// <summary>What a stream of a table needs that is not there yet.</summary>
/// <param name="Yaml">A configuration.</param>
/// <param name="Sql">What the table lacks, as statements; what is there already is left out.</param>
/// <param name="Notes">What somebody should know who takes them, one sentence each.</param>
/// <param name="Variables">Of the environment, those that the configuration takes secrets from.</param>
public sealed record StreamProposal(string Yaml, string Sql, ImmutableArray<string> Notes, ImmutableArray<string> Variables);

/// <summary>
/// Asks Postgres about a table, and writes the configuration of its stream. Servers are taken from the configuration that there is; of the
/// table only what the defaults do not find.
/// </summary>
public static partial class NewStream
{
    /// <param name="options">Servers and role; the table is named in it.</param>
    /// <param name="role">The role that the pipeline is to log in as; null: the one that asks.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <exception cref="PipelineException">The table is not there, is no table, or has nothing that identifies its rows.</exception>
    public static async Task<StreamProposal> ProposeAsync(PipelineOptions options, string? role, CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        var shape = await TableShape.ReadAsync(connection, options.Postgres, role ?? options.Postgres.User, cancellationToken);
        var postgres = WithoutTable(options.Postgres) with
        {
            User = role ?? options.Postgres.User, KeyColumns = shape.HasPrimaryKey ? [] : shape.Key, TimestampColumn = shape.ToName,
        };
        // What is to be added is not there to be read yet.
        var table = shape.IsTimeMissing
            ? null
            : await SourceCatalog.ReadAsync(connection, postgres with { OtherTypes = "skip" }, cancellationToken);
        if (table is { Excluded: { IsEmpty: false } }) postgres = postgres with { OtherTypes = "text" };
        var advice = table?.ColumnWarnings.Where(w => !w.Problem.StartsWith("not carried", StringComparison.Ordinal)).ToList() ?? [];
        var name = TopicName().Replace(options.Postgres.Table, "_");
        var proposed = options with { Postgres = postgres, Datalake = WithoutTable(options.Datalake) };
        return new StreamProposal(
            StreamYaml.Of(proposed, name, advice), new StreamSql(options.Postgres, shape, table).Text(),
            [.. Notes(shape, table), .. advice.Select(a => a.ToString())], StreamYaml.VariablesOf(proposed));
    }

    private static IEnumerable<string> Notes(TableShape shape, SourceTable? table)
    {
        if (shape.IsTimeMissing)
            yield return $"no column tells when a row was changed: the configuration takes it that --sql's {shape.Time} was added";
        if (shape.Rights is { Exists: false } rights)
            yield return $"there is no role {rights.Role}, and --sql makes it"
                + (rights.Nearest is { } near ? $"; did you mean {near}?" : "");
        if (table is { TimestampHasZone: false })
            yield return $"{shape.Time} has no time zone, and a trigger is not written for it: a column of type timestamptz is better";
        if (table is { Excluded: { IsEmpty: false } excluded })
            yield return $"of types that are not known, and so carried as text: {string.Join(", ", excluded)}";
    }

    private static PostgresOptions WithoutTable(PostgresOptions options) => options with
    {
        KeyColumns = [], TimestampColumn = null, Columns = [], ExcludeColumns = [], Mask = [], MaskKey = null,
        Numeric = ImmutableDictionary<string, string>.Empty, OtherTypes = "refuse", DeletedWhen = null,
    };

    private static DatalakeOptions WithoutTable(DatalakeOptions options) => options with
    {
        PartitionBy = new DatalakeOptions().PartitionBy, FolderName = null,
    };

    // What Kafka takes as a topic's name, and every file system as a folder's.
    [GeneratedRegex("[^A-Za-z0-9._-]")]
    private static partial Regex TopicName();
}

/// <summary>The configuration as YAML, with what is not its default and what must be given; secrets come from the environment.</summary>
internal static class StreamYaml
{
    /// <param name="options">With the table's own settings.</param>
    /// <param name="name">Of the topic and of the folders.</param>
    /// <param name="advice">What could be said otherwise.</param>
    public static string Of(PipelineOptions options, string name, IReadOnlyList<Advice> advice)
    {
        var text = new StringBuilder("# Every other key, with its meaning: orders-stream config.\n");
        foreach (var section in SettingsReference.Sections)
        {
            var lines = section.Settings.Select(s => LineOf(s, section.Property.GetValue(options)!, name)).OfType<string>().ToList();
            if (lines.Count == 0) continue;
            text.Append('\n').Append(section.Name).Append(":\n");
            foreach (var line in lines) text.Append("  ").Append(line).Append('\n');
            if (section.Name != "postgres") continue;
            foreach (var a in advice) text.Append("  # ").Append(a).Append('\n');
        }
        return text.ToString();
    }

    private static string? LineOf(SettingInfo setting, object section, string name) => setting.Name switch
    {
        // Said by host, port and db.
        "postgres.jdbc_url" => null,
        "kafka.topic" => $"topic: \"{name}\"",
        "kafka.group_id" => null,
        "datalake.path" => Folder(setting, name, "lake"),
        "streaming.checkpoint_location" => Folder(setting, name, "checkpoints"),
        "streaming.last_processed_timestamp_location" => Folder(setting, name, "lastprocess"),
        _ => setting.Property.GetValue(section) is var value && IsSaid(setting, value)
            ? $"{setting.Key}: {(setting.Secret ? $"\"${{{Variable(setting)}:-}}\"" : ConfigurationPrinter.Value(setting, value))}" : null,
    };

    private static bool IsSaid(SettingInfo setting, object? value) =>
        setting.Required || setting.Name == "postgres.password"
        || ConfigurationPrinter.Value(setting, value) != ConfigurationPrinter.Value(setting, setting.Default);

    /// <summary>The variables that it takes secrets from, and that must be set.</summary>
    public static ImmutableArray<string> VariablesOf(PipelineOptions options) =>
    [
        .. from section in SettingsReference.Sections
           let values = section.Property.GetValue(options)!
           from setting in section.Settings
           where setting.Secret && IsSaid(setting, setting.Property.GetValue(values))
           where setting.Name != "postgres.password" || options.Postgres is { PasswordFile: null, UsesTokens: false }
           select Variable(setting),
    ];

    private static string Variable(SettingInfo setting) => $"{setting.Section}_{setting.Key}".ToUpperInvariant();

    private static string Folder(SettingInfo setting, string name, string what) =>
        $"{setting.Key}: \"${{DATALAKE:-datalake}}/{name}/{what}\"";
}
