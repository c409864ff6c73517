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
internal sealed class RowDigest(TableSchema schema, ImmutableArray<int> columns)
{
    private readonly ByteBuffer text = new();

    public UInt128 Of(DecodedRow row)
    {
        text.Clear();
        foreach (var c in columns)
        {
            if (c < 0) JsonText.Null(text);
            else MessageWriter.WriteValue(schema.Columns[c].Type, row, row.Cells[c], text);
            text.Append((byte)'\n');
        }
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text.Written, hash);
        return BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }
}

/// <summary>
/// Which columns of an older schema's rows can be compared with the table's present ones: those that both have by name, in a form
/// that does not depend on the type's width; and those that only the table has, which readers of the lake see as NULL (invariant 12).
/// </summary>
internal sealed class ComparableColumns
{
    /// <param name="table">The table's columns.</param>
    /// <param name="lake">A version's.</param>
    /// <param name="leavesMissing">
    /// What only the table has is not compared: it is configured that such values stay as they are in the lake.
    /// </param>
    /// <exception cref="PipelineException">The key changed: rows of the two schemas cannot be matched.</exception>
    public ComparableColumns(TableSchema table, TableSchema lake, bool leavesMissing)
    {
        var pairs = table.Columns
            .Select((c, i) => (Table: i, Lake: lake.IndexOf(c.Name)))
            .Where(p => p.Lake < 0 ? !leavesMissing : SameForm(table.Columns[p.Table].Type, lake.Columns[p.Lake].Type))
            .ToList();
        Table = [.. pairs.Select(p => p.Table)];
        Lake = [.. pairs.Select(p => p.Lake)];
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

    /// <summary>The key's columns in the lake's schema, in the table's key order.</summary>
    public ImmutableArray<int> LakeKey { get; }
    public ImmutableArray<string> LeftOut { get; }

    private static bool SameForm(ColumnType a, ColumnType b)
    {
        if (a == b) return true;
        var isNumeric = a.Kind == ColumnKind.Numeric || b.Kind == ColumnKind.Numeric;
        return a.IsArray == b.IsArray && !isNumeric && FormOf(a.Kind) == FormOf(b.Kind);
    }

    private static ColumnKind FormOf(ColumnKind kind) => kind is ColumnKind.SmallInt or ColumnKind.Integer ? ColumnKind.BigInt : kind;
}
