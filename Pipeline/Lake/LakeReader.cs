using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;
using OrdersStream.Diagnostics;
using OrdersStream.Lake.Files;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;
using Parquet;
using Parquet.Meta;

namespace OrdersStream.Lake;

/// <summary>One row of the lake.</summary>
/// <param name="Row">Reused: valid until the next row is asked for.</param>
/// <param name="Op">The lake column <c>_op</c>.</param>
/// <param name="Partition">The lake column <c>_partition</c>.</param>
/// <param name="Offset">The lake column <c>_offset</c>.</param>
/// <param name="Version">The lake column <c>_version</c>; -1 where the file has none: it is older than any.</param>
public readonly record struct LakeRow(DecodedRow Row, string Op, int Partition, long Offset, long Version)
{
    /// <summary>The one rule by which of two versions of a row one is newer: the rule that readers are told (invariant 12).</summary>
    public static bool IsNewer(long version, long offset, long thanVersion, long thanOffset) =>
        version != thanVersion ? version > thanVersion : offset > thanOffset;
}

/// <summary>Reads this program's own data files back, every value exactly; memory is bounded by a row group.</summary>
/// <param name="lake">Where they lie.</param>
/// <param name="schemaOf">The schema of a fingerprint.</param>
public sealed class LakeReader(ILakeFiles lake, Func<string, TableSchema> schemaOf)
{
    /// <summary>The lake's data files, in the order of their names. What begins with a dot or an underscore is not the lake's.</summary>
    public static IEnumerable<string> Files(ILakeFiles lake, string folder = "")
    {
        foreach (var file in lake.List(folder).Where(IsDataFile).Order(StringComparer.Ordinal)) yield return file;
        foreach (var below in lake.Folders(folder).Where(IsVisible).Order(StringComparer.Ordinal))
            foreach (var file in Files(lake, below)) yield return file;
    }

    /// <summary>What a file says about itself; none of its rows is read.</summary>
    /// <exception cref="FormatException">It is no data file of this program.</exception>
    public static async Task<FileFooter> ReadFooterAsync(ILakeFiles lake, string file, CancellationToken cancellationToken)
    {
        await using var stream = new EndingStream(lake.OpenRead(file));
        await using var reader = await OpenAsync(stream, lake.Locate(file), cancellationToken);
        return FooterOf(reader, lake.Locate(file));
    }

    /// <summary>All rows of a file, in offset order.</summary>
    /// <exception cref="FormatException">The file is not what its footer says, or not of the schema that the footer names.</exception>
    public async IAsyncEnumerable<LakeRow> ReadAsync(string path, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var file = lake.Locate(path);
        await using var stream = new EndingStream(lake.OpenRead(path));
        await using var reader = await OpenAsync(stream, file, cancellationToken);
        var footer = FooterOf(reader, file);
        var schema = schemaOf(footer.SchemaFingerprint);
        if (schema.Fingerprint != footer.SchemaFingerprint)
            throw Fault(file, $"its footer names schema {footer.SchemaFingerprint}; schema {schema.Fingerprint} was given.");

        var columns = Columns(reader, schema, footer, file);
        var row = new DecodedRow(schema);
        var rows = 0L;
        var last = footer.FirstOffset - 1;
        for (var g = 0; g < reader.RowGroupCount; g++)
        {
            var group = reader.OpenRowGroupReader(g);
            foreach (var column in columns) await LoadAsync(column, group, file, cancellationToken);
            for (var i = 0L; i < group.RowCount; i++, rows++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var next = Next(row, columns);
                if (next.Offset <= last || next.Offset > footer.LastOffset || next.Partition != footer.Partition)
                    throw Fault(file,
                        $"row {rows} is offset {next.Offset} of partition {next.Partition}, behind offset {last}; "
                        + $"the footer says partition {footer.Partition}, offsets {footer.FirstOffset} to {footer.LastOffset}.");
                last = next.Offset;
                yield return next;
            }
        }
        if (rows != footer.Rows || last != footer.LastOffset)
            throw Fault(file,
                $"{rows} rows up to offset {last} were read; the footer says {footer.Rows} rows up to offset {footer.LastOffset}.");
    }

    /// <summary>What comes of a file that bears a name of this lake's, and is none of its files.</summary>
    internal static PipelineException Misnamed(FormatException e) => new(FailureAction.Stop,
        $"A file is named like one of this lake but cannot be read as one: {e.Message}",
        "Restore it from a backup, or move it away if it is another program's.", e);

    private static bool IsVisible(string path) => LakeFilesReading.NameOf(path) is not ['.' or '_', ..];

    private static bool IsDataFile(string path) => path.EndsWith(".parquet", StringComparison.Ordinal) && IsVisible(path);

    private static LakeRow Next(DecodedRow row, ImmutableArray<ColumnReader> columns)
    {
        row.Bytes.Clear();
        row.Elements.Clear();
        for (var i = 0; i < row.Cells.Length; i++) columns[i].Read(row, out row.Cells[i]);
        var lake = row.Cells.Length;
        columns[lake].Read(row, out var op);
        columns[lake + 1].Read(row, out var partition);
        columns[lake + 2].Read(row, out var offset);
        var version = new Cell { Bits = -1 };
        if (columns.Length > lake + 3) columns[lake + 3].Read(row, out version);
        return new LakeRow(row, RowOp.Of(row.Bytes.Written.Slice(op.Start, op.Length)), (int)partition.Bits, offset.Bits, version.Bits);
    }

    private static async Task<ParquetReader> OpenAsync(Stream stream, string file, CancellationToken cancellationToken)
    {
        CheckFooter(stream, file);
        try
        {
            return await ParquetReader.CreateAsync(stream, cancellationToken: cancellationToken);
        }
        // The package fails in many ways on bytes that are none of its format.
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw Fault(file, e.Message, e);
        }
    }

    private static async Task LoadAsync(
        ColumnReader column, ParquetRowGroupReader group, string file, CancellationToken cancellationToken)
    {
        try
        {
            await column.LoadAsync(group, cancellationToken);
        }
        // As in its footer: bytes that are none of a page.
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw Fault(file, e.Message, e);
        }
    }

    /// <summary>The package believes the length, whatever it is, and makes room for so many bytes (invariant 7).</summary>
    private static void CheckFooter(Stream stream, string file)
    {
        const int magic = 4, tail = sizeof(int) + magic;
        Span<byte> end = stackalloc byte[tail];
        if (stream.Length < magic + tail) throw Fault(file, "it is shorter than any Parquet file.");
        stream.Seek(-tail, SeekOrigin.End);
        stream.ReadExactly(end);
        if (BinaryPrimitives.ReadUInt32LittleEndian(end) is var length && length > stream.Length - magic - tail)
            throw Fault(file, $"its last bytes tell of a footer of {length} bytes, and it has {stream.Length}.");
        if (!end[sizeof(int)..].SequenceEqual("PAR1"u8)) throw Fault(file, "its last bytes are not those of a Parquet file.");
        var footer = new byte[length];
        stream.Seek(-tail - length, SeekOrigin.End);
        stream.ReadExactly(footer);
        try
        {
            FooterShape.Check(footer);
        }
        catch (FormatException e)
        {
            throw Fault(file, e.Message, e);
        }
        stream.Seek(0, SeekOrigin.Begin);
    }

    private static FileFooter FooterOf(ParquetReader reader, string file)
    {
        FileFooter footer;
        try
        {
            footer = FileFooter.FromMetadata(reader.CustomMetadata);
        }
        catch (FormatException e)
        {
            throw Fault(file, e.Message, e);
        }
        return reader.Metadata!.NumRows == footer.Rows
            ? footer
            : throw Fault(file, $"it holds {reader.Metadata.NumRows} rows; its footer says {footer.Rows}.");
    }

    /// <summary>Readers for the columns that the schema leads to, after a check that these are the file's.</summary>
    private static ImmutableArray<ColumnReader> Columns(ParquetReader reader, TableSchema schema, FileFooter footer, string file)
    {
        var expected = ParquetSchema.Columns(schema, hasVersion: footer.LastPage is not null);
        var wanted = ParquetSchema.Elements(expected).Select(Describe);
        var found = reader.Metadata!.Schema.Select(Describe);
        if (wanted.Zip(found).FirstOrDefault(pair => pair.First != pair.Second) is { First: not null } difference)
            throw Fault(file, $"schema {schema.Fingerprint} leads to {difference.First}; the file has {difference.Second}.");
        if (reader.Metadata.Schema.Count != wanted.Count())
            throw Fault(file,
                $"schema {schema.Fingerprint} leads to {wanted.Count()} schema elements; the file has {reader.Metadata.Schema.Count}.");

        ForgetMeaning(reader.Metadata);
        return [.. reader.Schema.DataFields.Zip(expected, ColumnReader.For)];
    }

    /// <summary>
    /// The package would turn annotated integers into DateTime and decimal, which hold neither infinity nor 38 digits.
    /// Without the annotations it hands out what is stored.
    /// </summary>
    private static void ForgetMeaning(FileMetaData metadata)
    {
        foreach (var leaf in metadata.Schema.Where(e => e.Type is not null))
        {
            leaf.LogicalType = null;
            leaf.ConvertedType = null;
        }
    }

    private static string Describe(SchemaElement e)
    {
        var text = new StringBuilder($"'{e.Name}' {e.RepetitionType} {e.Type}");
        if (e.TypeLength is > 0) text.Append($"({e.TypeLength})");
        if (e.LogicalType is { } l)
            text.Append(l switch
            {
                { DECIMAL: { } d } => $" DECIMAL({d.Precision},{d.Scale})",
                { TIMESTAMP: { } t } => $" TIMESTAMP({(t.Unit.MICROS is null ? "?" : "MICROS")},{(t.IsAdjustedToUTC ? "UTC" : "local")})",
                { TIME: { } t } => $" TIME({(t.Unit.MICROS is null ? "?" : "MICROS")},{(t.IsAdjustedToUTC ? "UTC" : "local")})",
                { INTEGER: { } n } => $" INT({n.BitWidth})",
                { STRING: not null } => " STRING",
                { DATE: not null } => " DATE",
                { LIST: not null } => " LIST",
                _ => " of another meaning",
            });
        return text.ToString();
    }

    private static FormatException Fault(string file, string fault, Exception? cause = null) =>
        new($"{LakePath.WithoutValues(file)}: {fault}", cause);
}
