using System.Collections.Concurrent;
using System.Text;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;

namespace OrdersStream.Rows;

/// <summary>
/// The schemas that records name by fingerprint, one file each below the checkpoint location. A schema is durable here
/// before the first record that uses it, so a record's shape is known for as long as the record is.
/// </summary>
public sealed class SchemaStore(string checkpointLocation, CrashPoints? crashPoints = null)
{
    private readonly string directory = Path.Combine(checkpointLocation, "schemas");
    private readonly ConcurrentDictionary<string, TableSchema> known = [];

    /// <summary>Makes the schema durable. Costs nothing when this process has written or read it before.</summary>
    public void Write(TableSchema schema)
    {
        if (known.ContainsKey(schema.Fingerprint)) return;
        var content = Encoding.UTF8.GetBytes(schema.ToJson());
        var path = PathOf(schema.Fingerprint);
        if (!File.Exists(path) || !File.ReadAllBytes(path).AsSpan().SequenceEqual(content)) 
            DurableFile.Replace(path, content, (crashPoints ?? CrashPoints.None).Before(CrashPoint.SchemaWritten));
        known[schema.Fingerprint] = schema;
    }

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
            var schema = TableSchema.FromJson(File.ReadAllText(path));
            return schema.Fingerprint == fingerprint ? schema : throw new FormatException($"its content has the fingerprint {schema.Fingerprint}");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new PipelineException(FailureAction.Stop,
                $"Records name the schema {fingerprint}, but '{path}' does not exist.",
                "Give both halves the same streaming.checkpoint_location, or copy the file from where PostgresToKafka wrote it.", e);
        }
        catch (FormatException e)
        {
            throw new PipelineException(FailureAction.Stop,
                $"Schema file '{path}' cannot be used: {e.Message}.",
                "Restore it from a backup, or remove it and start PostgresToKafka, which writes the table's present schema again.", e);
        }
    }

    private string PathOf(string fingerprint) => Path.Combine(directory, fingerprint + ".json");
}
