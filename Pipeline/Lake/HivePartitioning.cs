using System.Globalization;
using System.Text;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Rows;
using Calendar = OrdersStream.Rows.Calendar;

namespace OrdersStream.Lake;

/// <summary>
/// Which folder of the lake a row belongs in, by <c>datalake.partition_by</c>. Readers make a column of a folder's name, in the
/// place of one of that name in the files: so no column of the table has it. A folder's name is made once per value, not once per row.
/// </summary>
internal sealed class HivePartitioning
{
    /// <summary>The derived partition: the UTC date of created_at, where the table has none of the timestamp column.</summary>
    public const string OrderDate = "order_date";

    /// <summary>The lake is one folder.</summary>
    public const string None = "none";

    private const string CreatedAt = "created_at";
    private const int CachedMax = 10_000;
    private const long NoDay = long.MinValue;

    private readonly int column;
    private readonly FolderName name;
    private readonly ColumnKind kind;
    private readonly Dictionary<long, string> byNumber = [];
    private readonly Dictionary<byte[], string> byText = new(ByteComparer.Instance);
    private long lastNumber;
    private byte[] lastText = [];
    private string? lastFolder;

    private HivePartitioning(FolderName name, int column, ColumnKind kind)
    {
        this.name = name;
        this.column = column;
        this.kind = kind;
    }

    /// <exception cref="PipelineException">
    /// The table has no such column, one that makes no folder names, or one of the folders' own name.
    /// </exception>
    public static HivePartitioning For(TableSchema schema, string partitionBy, FolderName name)
    {
        if (partitionBy == None && schema.IndexOf(None) < 0) return new HivePartitioning(name, -1, default);
        var column = schema.IndexOf(partitionBy);
        if (partitionBy == OrderDate && (column < 0 || !MakesFolders(schema.Columns[column].Type))) column = OrderDateSource(schema);
        if (column < 0)
            throw new PipelineException(FailureAction.Stop,
                $"datalake.partition_by is '{partitionBy}', but the table has no such column.",
                $"{HintOf(partitionBy, schema)}Its columns are {string.Join(", ", schema.Columns.Select(c => c.Name))}; "
                + $"'{OrderDate}' and '{None}' work with every table.");
        var type = schema.Columns[column].Type;
        if (!MakesFolders(type))
            throw new PipelineException(FailureAction.Stop,
                $"datalake.partition_by is '{partitionBy}', a column of type {type.PostgresName}, by which folders are not made.",
                "Choose a column of type text, integer, boolean, uuid, date, timestamp or an enum, or 'order_date' or 'none'.");
        if (!name.MayShadow && name.ShadowedIn(schema) is { } shadowed)
            throw new PipelineException(FailureAction.Stop,
                $"The table has a column {shadowed}, and folders of the lake are named {name.Text}=...: "
                + "readers take a folder's value for the column's.",
                "Name another datalake.folder_name, which no column has, or leave the column out by postgres.exclude_columns.");
        return new HivePartitioning(name, column, type.Kind);
    }

    /// <summary>A sentence with a blank behind it, or nothing.</summary>
    private static string HintOf(string partitionBy, TableSchema schema)
    {
        // As other programs call the folders of a day.
        if (partitionBy.Equals("date", StringComparison.OrdinalIgnoreCase))
            return $"For folders date=2026-03-01 write datalake.partition_by: {OrderDate} and datalake.folder_name: date. ";
        string[] names = [.. schema.Columns.Select(c => c.Name), OrderDate, None];
        return Array.Find(names, n => n.Equals(partitionBy, StringComparison.OrdinalIgnoreCase)) is { } folded
            ? $"There is {folded}: capitals and small letters count. "
            : NearestName.Of(partitionBy, names) is { } near ? $"Did you mean {near}? " : "";
    }

    /// <summary>The row's folder relative to the lake's; the same string for the same value.</summary>
    public string FolderOf(DecodedRow row)
    {
        if (column < 0) return "";
        ref readonly var cell = ref row.Cells[column];
        return kind is ColumnKind.Text or ColumnKind.Uuid
            ? cell.IsNull ? FolderOfText([]) : FolderOfText(row.Bytes.Written.Slice(cell.Start, cell.Length))
            : FolderOfNumber(NumberOf(in cell));
    }

    private static int OrderDateSource(TableSchema schema)
    {
        var created = schema.IndexOf(CreatedAt);
        var isOfADay = created >= 0 && schema.Columns[created].Type is
            { IsArray: false, Kind: ColumnKind.TimestampTz or ColumnKind.Timestamp or ColumnKind.Date };
        return isOfADay ? created : schema.TimestampColumn;
    }

    private static bool MakesFolders(ColumnType type) => !type.IsArray && type.Kind
        is ColumnKind.Text or ColumnKind.Uuid or ColumnKind.Boolean
        or ColumnKind.SmallInt or ColumnKind.Integer or ColumnKind.BigInt
        or ColumnKind.Date or ColumnKind.Timestamp or ColumnKind.TimestampTz;

    private bool IsDate => kind is ColumnKind.Date or ColumnKind.Timestamp or ColumnKind.TimestampTz;

    private long NumberOf(in Cell cell) => kind switch
    {
        _ when cell.IsNull => NoDay,
        ColumnKind.Date => cell.Bits is int.MaxValue or -int.MaxValue ? NoDay : cell.Bits,
        ColumnKind.Timestamp or ColumnKind.TimestampTz =>
            cell.Bits is long.MaxValue or -long.MaxValue ? NoDay : Calendar.SplitDay(cell.Bits).Days,
        _ => cell.Bits,
    };

    private string FolderOfNumber(long number)
    {
        if (lastFolder is not null && number == lastNumber) return lastFolder;
        if (!byNumber.TryGetValue(number, out var folder))
        {
            if (byNumber.Count == CachedMax) byNumber.Clear();
            byNumber[number] = folder = PathSegment.OfPartition(name.Text, Encoding.UTF8.GetBytes(TextOf(number)), name.NoValue);
        }
        lastNumber = number;
        return lastFolder = folder;
    }

    // A bigint may be long.MinValue itself: that one value shares the folder of null. The column in the file tells them apart.
    private string TextOf(long number) => number switch
    {
        NoDay => "",
        _ when IsDate => CivilDate(number),
        _ when kind == ColumnKind.Boolean => number == 0 ? "false" : "true",
        _ => number.ToString(CultureInfo.InvariantCulture),
    };

    private string FolderOfText(ReadOnlySpan<byte> text)
    {
        if (lastFolder is not null && text.SequenceEqual(lastText)) return lastFolder;
        var lookup = byText.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (!lookup.TryGetValue(text, out var key, out var folder))
        {
            if (byText.Count == CachedMax) byText.Clear();
            byText[key = text.ToArray()] = folder = PathSegment.OfPartition(name.Text, text, name.NoValue);
        }
        lastText = key;
        return lastFolder = folder;
    }

    private static string CivilDate(long day)
    {
        var (year, month, dayOfMonth) = Calendar.ToCivil(day);
        return string.Create(CultureInfo.InvariantCulture, $"{year:0000}-{month:00}-{dayOfMonth:00}");
    }

    private sealed class ByteComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public static readonly ByteComparer Instance = new();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(byte[] value) => GetHashCode(value.AsSpan());

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = new HashCode();
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
    }
}
