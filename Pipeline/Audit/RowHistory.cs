using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Audit;

/// <summary>One version of a row in the lake.</summary>
/// <param name="File">Its file, below <c>datalake.path</c>.</param>
/// <param name="Time">The ordering column, as its table writes it; null: of a delete it is not known.</param>
/// <param name="Op">The lake column <c>_op</c>.</param>
/// <param name="Version">The lake column <c>_version</c>; null: the file is of an earlier version, and older than any that has one.</param>
/// <param name="Partition">The lake column <c>_partition</c>.</param>
/// <param name="Offset">The lake column <c>_offset</c>.</param>
/// <param name="Row">All of its columns as one JSON object: these are data.</param>
public sealed record StoredVersion(string File, string? Time, string Op, long? Version, int Partition, long Offset, string Row);

/// <summary>What the lake has of one row: all of its files are read.</summary>
public sealed class RowHistory
{
    private readonly string topic;
    private readonly ILakeFiles lake;
    private readonly ILakeFiles checkpoint;
    private readonly SchemaStore schemas;

    internal RowHistory(PipelineOptions options, Func<string, ILakeFiles> openFiles)
    {
        topic = options.Kafka.Topic;
        (lake, checkpoint) = (openFiles(options.Datalake.Path), openFiles(options.Streaming.CheckpointLocation));
        schemas = new SchemaStore(options.Streaming.CheckpointLocation);
    }

    /// <summary>All versions of a row, the newest first, by the rule that readers are told (invariant 12).</summary>
    /// <param name="key">A text for each column of its key, as Postgres writes it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="PipelineException">That is no key of the lake's rows, or the lake cannot be read.</exception>
    public async Task<ImmutableArray<StoredVersion>> ReadAsync(ImmutableArray<string> key, CancellationToken cancellationToken)
    {
        var versions = new List<StoredVersion>();
        await foreach (var version in FindAsync(key, cancellationToken)) versions.Add(version);
        versions.Sort((a, b) => LakeRow.IsNewer(a.Version ?? -1, a.Offset, b.Version ?? -1, b.Offset) ? -1 : 1);
        return [.. versions];
    }

    private async IAsyncEnumerable<StoredVersion> FindAsync(
        ImmutableArray<string> key, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await LakeOwner.CheckIsThereAsync(lake, checkpoint, topic, cancellationToken);
        var reader = new LakeReader(lake, schemas.Read);
        var wanted = new Dictionary<string, KeyMatch>();
        PipelineException? fault = null;
        foreach (var file in LakeReader.Files(lake))
        {
            await using var rows = reader.ReadAsync(file, cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (await NextAsync(rows))
            {
                var schema = rows.Current.Row.Schema;
                if (!wanted.TryGetValue(schema.Fingerprint, out var match))
                {
                    wanted[schema.Fingerprint] = match = KeyMatch.Of(schema, key);
                    fault ??= match.Fault;
                }
                if (match.Is(rows.Current.Row)) yield return VersionOf(file, rows.Current);
            }
        }
        // A key that is one of some shape of the table was looked for.
        if (fault is not null && wanted.Values.All(m => m.Fault is not null)) throw fault;
    }

    private static async ValueTask<bool> NextAsync(IAsyncEnumerator<LakeRow> rows)
    {
        try
        {
            return await rows.MoveNextAsync();
        }
        catch (FormatException e)
        {
            throw LakeReader.Misnamed(e);
        }
    }

    private static StoredVersion VersionOf(string file, in LakeRow stored)
    {
        var (row, at) = (stored.Row, stored.Row.Schema.TimestampColumn);
        var text = new ByteBuffer();
        new MessageWriter(row.Schema).Write(row, text);
        return new StoredVersion(
            file, row.Cells[at].IsNull ? null : PostgresText.Of(row.Schema.Columns[at].Type, row, row.Cells[at]), stored.Op,
            stored.Version < 0 ? null : stored.Version, stored.Partition, stored.Offset, Encoding.UTF8.GetString(text.Written));
    }

    /// <summary>The key among the rows of one schema: both are compared as Postgres writes them.</summary>
    private sealed record KeyMatch(ImmutableArray<string> Texts, PipelineException? Fault)
    {
        public static KeyMatch Of(TableSchema schema, ImmutableArray<string> key)
        {
            var columns = schema.KeyColumns.Select(k => schema.Columns[k]).ToList();
            var names = string.Join(", ", columns.Select(c => c.Name));
            if (columns.Count != key.Length)
                return new([], new PipelineException(FailureAction.Stop,
                    $"A key of the lake's rows has {columns.Count} columns ({names}), and {key.Length} values were given.",
                    $"Give the values of {names}, with commas between them."));
            try
            {
                return new([.. columns.Zip(key, Canonical)], null);
            }
            catch (UndecodableException e)
            {
                return new([], new PipelineException(
                    FailureAction.Stop, $"What was given is no key of the lake's rows: {e.Message}.",
                    $"Give values of {names} as Postgres writes them."));
            }
        }

        public bool Is(DecodedRow row)
        {
            if (Fault is not null) return false;
            for (var k = 0; k < Texts.Length; k++)
            {
                var column = row.Schema.KeyColumns[k];
                if (PostgresText.Of(row.Schema.Columns[column].Type, row, row.Cells[column]) != Texts[k]) return false;
            }
            return true;
        }

        private static string Canonical(Column column, string text)
        {
            var schema = new TableSchema([column], [0], 0);
            var row = new DecodedRow(schema);
            new KeyDecoder(schema).Decode(Encoding.UTF8.GetBytes(text), row);
            return PostgresText.Of(column.Type, row, row.Cells[0]);
        }
    }
}
