using System.Collections.Concurrent;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;

namespace OrdersStream.Rows;

/// <summary>
/// The schemas that records and files name by fingerprint, one file each below the checkpoint location. Pages bring theirs along, so
/// capture need not share the folder; a schema is durable here before the first file of its rows, for readers of those.
/// </summary>
/// <param name="checkpointLocation">Where the folder of the schemas lies.</param>
/// <param name="crashPoints">Reached behind each durable step; null: nothing listens.</param>
/// <param name="stream">Who writes; a schema that is there already stays whosever it was.</param>
public sealed class SchemaStore(string checkpointLocation, CrashPoints? crashPoints = null, string stream = "")
{
    private readonly string directory = Path.Combine(checkpointLocation, "schemas");
    private readonly ConcurrentDictionary<string, TableSchema> known = [];

    /// <summary>Makes the schema durable. Costs next to nothing when this process has written or read it before.</summary>
    public void Write(TableSchema schema)
    {
        if (IsKept(schema.Fingerprint)) return;
        if (!IsWritten(schema.Fingerprint))
        {
            var step = (crashPoints ?? CrashPoints.None).Before(CrashPoint.SchemaWritten);
            DurableFile.Replace(PathOf(schema.Fingerprint), schema.ToStateFile(stream), step);
        }
        known[schema.Fingerprint] = schema;
    }

    /// <summary>This process has written or read it, and nobody has removed it since: readers of the lake need it.</summary>
    public bool IsKept(string fingerprint) => known.ContainsKey(fingerprint) && File.Exists(PathOf(fingerprint));

    /// <summary>It can be read here; what can be had from elsewhere need not be.</summary>
    public bool Has(string fingerprint) => known.ContainsKey(fingerprint) || File.Exists(PathOf(fingerprint));

    /// <summary>The schema of a fingerprint.</summary>
    /// <exception cref="PipelineException">There is none, or its file was altered.</exception>
    public TableSchema Read(string fingerprint) => known.GetOrAdd(fingerprint, ReadFile);

    /// <summary>True for what a <c>schema</c> header of ours holds: 16 lowercase hexadecimal digits, and so safe as a file name.</summary>
    public static bool IsFingerprint(ReadOnlySpan<byte> header) =>
        header.Length == 16 && !header.ContainsAnyExcept("0123456789abcdef"u8);

    private TableSchema ReadFile(string fingerprint)
    {
        var path = PathOf(fingerprint);
        try
        {
            return ReadFile(path, fingerprint);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new PipelineException(FailureAction.Stop,
                $"Records name the schema {fingerprint}, but '{path}' does not exist.",
                "Restore it from a backup, or copy it from the streaming.checkpoint_location where an earlier version captured.", e);
        }
        catch (FormatException e)
        {
            throw new PipelineException(FailureAction.Stop,
                $"Schema file '{path}' cannot be used: {e.Message}.",
                "Restore it from a backup, or remove it: KafkaToLake writes it again from a page that brings it along.", e);
        }
    }

    private static TableSchema ReadFile(string path, string fingerprint)
    {
        var schema = TableSchema.FromJson(File.ReadAllBytes(path));
        if (schema.Fingerprint != fingerprint) throw new FormatException($"its content has the fingerprint {schema.Fingerprint}");
        return schema;
    }

    /// <summary>A file that was altered is written again.</summary>
    private bool IsWritten(string fingerprint)
    {
        try
        {
            return File.Exists(PathOf(fingerprint)) && ReadFile(PathOf(fingerprint), fingerprint) is not null;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private string PathOf(string fingerprint) => Path.GetFullPath(Path.Combine(directory, fingerprint + ".json"));
}
