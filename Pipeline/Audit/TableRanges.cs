using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Memory;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Audit;

/// <summary>A row of the table, to be found in the lake.</summary>
/// <param name="Key">Digest of its key.</param>
/// <param name="Number">Which row of its range.</param>
/// <param name="KeyStart">Where its key's text begins.</param>
/// <param name="KeyBytes">How long it is.</param>
/// <param name="IsCovered">The horizon has it, so it has been published.</param>
internal readonly record struct TableRow(UInt128 Key, int Number, int KeyStart, int KeyBytes, bool IsCovered);

/// <summary>The rows of a range of keys as one snapshot shows them. It is used again for the next range.</summary>
/// <param name="shapes">In how many ways a row is digested.</param>
internal sealed class TableRange(int shapes)
{
    /// <summary>Which range, from 0 on.</summary>
    public int Number { get; set; }

    /// <summary>By what the table's keys are places, when it was read.</summary>
    public string Order { get; set; } = "";

    /// <summary>Digests of keys whose texts are wanted, and these, as far as rows of them were read.</summary>
    public Dictionary<UInt128, ImmutableArray<string>?> Suspects { get; init; } = [];

    /// <summary>Texts that are kept.</summary>
    public int TextsMax { get; init; }

    private int texts;

    /// <summary>The key's texts are to be kept.</summary>
    public bool IsWanted(UInt128 key) => Suspects.ContainsKey(key) && texts++ < TextsMax;

    private readonly List<TableRow> rows = [];
    private readonly List<ulong> digests = [];
    private readonly ByteBuffer keys = new();

    /// <summary>The rows, ascending by the digest of their key, once they are sorted.</summary>
    public ReadOnlySpan<TableRow> Rows => CollectionsMarshal.AsSpan(rows);

    /// <summary>A key's text.</summary>
    public ReadOnlySpan<byte> KeyOf(in TableRow row) => keys.Written.Slice(row.KeyStart, row.KeyBytes);

    /// <summary>Digest of the columns that a shape compares.</summary>
    public ulong DigestOf(in TableRow row, int shape) => digests[row.Number * shapes + shape];

    public void Clear()
    {
        rows.Clear();
        digests.Clear();
        keys.Clear();
    }

    public void Add(UInt128 key, ReadOnlySpan<byte> text, bool isCovered)
    {
        rows.Add(new TableRow(key, rows.Count, keys.Length, text.Length, isCovered));
        keys.Append(text);
    }

    /// <summary>Of the row that was added last, for one shape after the other.</summary>
    public void AddDigest(ulong digest) => digests.Add(digest);

    public void Sort() => rows.Sort((a, b) => a.Key.CompareTo(b.Key));
}

/// <summary>
/// The source table, range by range of its key: each in a short transaction with a snapshot of its own, and all through the encoder that
/// publishes rows. The first reading decides where ranges end; the last one has no end.
/// </summary>
/// <param name="connection">Nothing else is done on it.</param>
/// <param name="options">Which table.</param>
/// <param name="expected">Its columns, which must stay as they are.</param>
internal sealed class TableRanges(NpgsqlConnection connection, PostgresOptions options, TableSchema expected)
{
    private readonly List<ImmutableArray<string>> ends = [];
    private bool hasLast;

    /// <summary>Which table it is, whatever has its name by now; null: none was read.</summary>
    public uint? Oid { get; init; }

    /// <summary>Rows of a range, about.</summary>
    public int RowsMax { get; init; } = 100_000;

    /// <summary>Which rows of the table ranges are made of; null: all.</summary>
    public RowSelection? Only { get; init; }

    /// <summary>Ranges that are known: all, once the last one was read.</summary>
    public int Count => ends.Count + 1;

    /// <summary>The last key before a range, and its own last; null: there is none.</summary>
    public (ImmutableArray<string>? Behind, ImmutableArray<string>? Last) BoundsOf(int number) =>
        (number == 0 ? null : ends[number - 1], number < ends.Count ? ends[number] : null);

    /// <param name="horizon">What is in it is published; null: nothing is known to be.</param>
    /// <param name="shapes">How rows are digested.</param>
    /// <param name="only">The ranges to read again; null: all, for the first time.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The ranges; each is valid until the next is asked for.</returns>
    /// <exception cref="PipelineException">The table's columns changed meanwhile.</exception>
    public async IAsyncEnumerable<TableRange> ReadAsync(
        Horizon? horizon, IReadOnlyList<ComparedShape> shapes, IReadOnlySet<int>? only,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var range = new TableRange(shapes.Count);
        for (var number = 0; number < Count; number++)
        {
            if (only?.Contains(number) == false) continue;
            await ReadAsync(number, horizon, shapes, range, cancellationToken);
            yield return range;
        }
    }

    /// <summary>Reads one range: those before it were read.</summary>
    /// <param name="number">Which, from 0 on.</param>
    /// <param name="horizon">What is in it is published; null: nothing is known to be.</param>
    /// <param name="shapes">How rows are digested.</param>
    /// <param name="range">Takes the rows.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="PipelineException">The table's columns changed meanwhile.</exception>
    public async Task ReadAsync(
        int number, Horizon? horizon, IReadOnlyList<ComparedShape> shapes, TableRange range, CancellationToken cancellationToken)
    {
        range.Clear();
        range.Number = number;
        await using var transaction = await connection.BeginTransactionAsync(
            System.Data.IsolationLevel.RepeatableRead, cancellationToken);
        var table = await SourceCatalog.LockAsync(connection, options, withTombstones: false, cancellationToken);
        if (table.Schema.Fingerprint != expected.Fingerprint || (Oid is { } oid && table.Oid != oid))
            throw new PipelineException(
                FailureAction.Stop, "The table, or its columns, became another while it was being compared.", "Compare again.");
        range.Order = table.Order;
        if (number == ends.Count && !hasLast) await FindEndAsync(table, BoundsOf(number).Behind, cancellationToken);
        var (behind, last) = BoundsOf(number);
        var condition = Condition(table, behind, last);
        var covered = horizon is null ? "false" : await IsOfNowAsync(horizon, cancellationToken) ? "true" : horizon.Contains("xmin");
        await ReadAsync(table, $"{condition} AND {covered}", true, shapes, range, cancellationToken);
        await ReadAsync(table, $"{condition} AND NOT {covered}", false, shapes, range, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        range.Sort();
    }

    /// <summary>
    /// The snapshot that is read in is the horizon's: all that it shows was there to be captured, and as long as nothing else is committed
    /// no window looks again. So it is published, or never will be, whatever ids and times say: those of a row that was dated back behind
    /// a transaction that stays open say nothing.
    /// </summary>
    private async Task<bool> IsOfNowAsync(Horizon horizon, CancellationToken cancellationToken)
    {
        if (horizon.HeldBack is not null) return false;
        await using var command = new NpgsqlCommand($"SELECT pg_current_snapshot()::text, {SourceServer.Started}", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return reader.GetString(0) == horizon.Snapshot && reader.GetDateTime(1) == horizon.ServerStarted;
    }

    /// <summary>The key with which the range behind another ends, if it is not the last.</summary>
    private async Task FindEndAsync(SourceTable table, ImmutableArray<string>? behind, CancellationToken cancellationToken)
    {
        // As texts only outside: inside, the names by which they are ordered would be those of the texts.
        var texts = string.Join(", ", table.KeyColumns.Select(c => $"{c}::text"));
        await using var command = new NpgsqlCommand(
            $"SELECT {texts} FROM (SELECT {table.Key} FROM {table.QualifiedName} WHERE {Condition(table, behind, null)} "
            + $"ORDER BY {table.Key} OFFSET {RowsMax - 1} LIMIT 1) k", connection) { CommandTimeout = 0 };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (await reader.ReadAsync(cancellationToken)) ends.Add([.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetString)]);
        else hasLast = true;
    }

    private string Condition(SourceTable table, ImmutableArray<string>? behind, ImmutableArray<string>? last)
    {
        var conditions = new List<string>(Only?.Conditions(table) ?? []);
        if (table.DeletedWhen is not null) conditions.Add(table.IsLiving);
        if (behind is { } after) conditions.Add($"({table.ComparedKey}) > ({table.KeyLiteral(after)})");
        if (last is { } end) conditions.Add($"({table.ComparedKey}) <= ({table.KeyLiteral(end)})");
        return conditions.Count == 0 ? "true" : string.Join(" AND ", conditions);
    }

    private async Task ReadAsync(
        SourceTable table, string condition, bool isCovered, IReadOnlyList<ComparedShape> shapes, TableRange range,
        CancellationToken cancellationToken)
    {
        var schema = table.Schema;
        var (encoder, decoder, row) = (new MessageEncoder(schema), new MessageDecoder(schema), new DecodedRow(schema));
        var (key, value, keyDigest) = (new ByteBuffer(), new ByteBuffer(), new RowDigest(schema, schema.KeyColumns));
        await using var copy = await CopyStream.OpenAsync(connection, $"{table.SelectRows} WHERE {condition}", cancellationToken);
        LenientRow? lenient = null;
        while (copy.TryNext(encoder, key, value) || await copy.WaitNextAsync(encoder, key, value, cancellationToken))
        {
            var fits = TryDecode(decoder, value, row);
            var digest = fits ? keyDigest.Of(row) : (lenient ??= new LenientRow(schema)).KeyOf(value);
            range.Add(digest, key.Written, isCovered);
            if (range.IsWanted(digest)) range.Suspects[digest] = encoder.CursorAt(copy.Previous).Key;
            // What a file cannot hold is in quarantine: no version in the lake is equal to it.
            foreach (var shape in shapes) range.AddDigest(fits ? (ulong)shape.TableValues.Of(row) : 0);
        }
    }

    private static bool TryDecode(MessageDecoder decoder, ByteBuffer value, DecodedRow row)
    {
        try
        {
            decoder.Decode(value.Written, row);
            return true;
        }
        catch (UndecodableException)
        {
            return false;
        }
    }

    /// <summary>A row with a value that no file can hold, as far as its key: other columns whose values have limits are texts.</summary>
    private sealed class LenientRow
    {
        private readonly MessageDecoder decoder;
        private readonly DecodedRow row;
        private readonly RowDigest digest;

        public LenientRow(TableSchema schema)
        {
            var lenient = new TableSchema(
                [.. schema.Columns.Select((c, i) => schema.KeyColumns.Contains(i) ? c : Lenient(c))],
                schema.KeyColumns, schema.TimestampColumn);
            (decoder, row, digest) = (new(lenient), new(lenient), new(lenient, lenient.KeyColumns));
        }

        public UInt128 KeyOf(ByteBuffer value)
        {
            decoder.Decode(value.Written, row);
            return digest.Of(row);
        }

        private static Column Lenient(Column column) => column.Type.Kind switch
        {
            ColumnKind.Numeric => column with { Type = column.Type with { Precision = null, Scale = null } },
            ColumnKind.Timestamp or ColumnKind.TimestampTz => column with { Type = column.Type with { Kind = ColumnKind.Text } },
            _ => column,
        };
    }
}
