using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using OrdersStream.Diagnostics;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Audit;

/// <summary>Reduces chosen columns of a row to 128 bits, so that rows can be compared without being kept (invariant 7).</summary>
/// <param name="schema">The row's.</param>
/// <param name="columns">Indices into it; -1: a column that it has not, which readers of the lake see as NULL.</param>
/// <param name="numbers">Of these, those that are compared as numbers of another width; default: none.</param>
internal sealed class RowDigest(TableSchema schema, ImmutableArray<int> columns, ImmutableArray<bool> numbers = default)
{
    private readonly ByteBuffer text = new(), number = new();

    public UInt128 Of(DecodedRow row)
    {
        text.Clear();
        for (var i = 0; i < columns.Length; i++)
        {
            var c = columns[i];
            if (c < 0) JsonText.Null(text);
            else if (!numbers.IsDefault && numbers[i]) AppendNumbers(schema.Columns[c].Type, row, row.Cells[c]);
            else MessageWriter.WriteValue(schema.Columns[c].Type, row, row.Cells[c], text);
            text.Append((byte)'\n');
        }
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text.Written, hash);
        return BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }

    /// <summary>A number, or an array of such, without the zeros that end what is behind a point.</summary>
    private void AppendNumbers(ColumnType type, DecodedRow row, in Cell cell)
    {
        number.Clear();
        MessageWriter.WriteValue(type, row, cell, number);
        var rest = number.Written;
        while (rest.IndexOf((byte)'.') is >= 0 and var point)
        {
            var length = rest[(point + 1)..].IndexOfAnyExceptInRange((byte)'0', (byte)'9') is >= 0 and var digits
                ? point + 1 + digits : rest.Length;
            var kept = rest[..length].TrimEnd((byte)'0');
            text.Append(kept[^1] == '.' ? kept[..^1] : kept);
            rest = rest[length..];
        }
        text.Append(rest);
    }
}

/// <summary>
/// How an older schema's rows are compared with the table's present ones: by all columns that the table has, as readers of the lake find
/// them (invariant 12). One that only the table has is NULL to them.
/// </summary>
internal sealed class ComparableColumns
{
    /// <param name="table">The table's columns.</param>
    /// <param name="lake">A version's.</param>
    /// <param name="leavesMissing">
    /// What only the table has, or has as another type, is not compared: it is configured that such values stay as they are in the lake.
    /// </param>
    /// <exception cref="PipelineException">The key changed: rows of the two schemas cannot be matched.</exception>
    public ComparableColumns(TableSchema table, TableSchema lake, bool leavesMissing)
    {
        var pairs = table.Columns
            .Select((c, i) => (Table: i, Lake: lake.IndexOf(c.Name)))
            .Where(p => !leavesMissing || (p.Lake >= 0 && SameForm(table.Columns[p.Table].Type, lake.Columns[p.Lake].Type)))
            .ToList();
        Table = [.. pairs.Select(p => p.Table)];
        Lake = [.. pairs.Select(p => p.Lake)];
        Numbers = [.. pairs.Select(p => p.Lake >= 0 && IsNumber(table.Columns[p.Table].Type) && IsNumber(lake.Columns[p.Lake].Type)
            && table.Columns[p.Table].Type != lake.Columns[p.Lake].Type)];
        LakeKey = [.. table.KeyColumns.Select(k => lake.IndexOf(table.Columns[k].Name))];
        var compared = pairs.Select(p => table.Columns[p.Table].Name);
        LeftOut = [.. table.Columns.Select(c => c.Name).Union(lake.Columns.Select(c => c.Name)).Except(compared)];
        if (LakeKey.Any(k => !lake.KeyColumns.Contains(k)) || LakeKey.Length != lake.KeyColumns.Length)
            throw new PipelineException(FailureAction.Stop,
                "The lake holds rows from when the table had another key, so its rows cannot be matched with the table's.",
                "Compare lakes of one key only: capture into a new datalake.path after the key of a table was changed.");
    }

    /// <summary>Indices into the table's schema, in the order of <see cref="Lake"/>.</summary>
    public ImmutableArray<int> Table { get; }

    /// <summary>Indices into the lake's; -1: it has no such column.</summary>
    public ImmutableArray<int> Lake { get; }

    /// <summary>Which of them are compared as numbers: the zeros behind a point are not.</summary>
    public ImmutableArray<bool> Numbers { get; }

    /// <summary>The key's columns in the lake's schema, in the table's key order.</summary>
    public ImmutableArray<int> LakeKey { get; }
    public ImmutableArray<string> LeftOut { get; }

    private static bool SameForm(ColumnType a, ColumnType b) => a.IsArray == b.IsArray && FormOf(a.Kind) == FormOf(b.Kind);

    private static bool IsNumber(ColumnType type) => FormOf(type.Kind) is ColumnKind.BigInt or ColumnKind.Numeric;

    private static ColumnKind FormOf(ColumnKind kind) => kind is ColumnKind.SmallInt or ColumnKind.Integer ? ColumnKind.BigInt : kind;
}
