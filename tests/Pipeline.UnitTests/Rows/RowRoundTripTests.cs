using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using CsCheck;
using OrdersStream.Memory;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Rows.CopyTupleWriter;

namespace OrdersStream.UnitTests.Rows;

public sealed class RowRoundTripTests
{
    private static readonly Gen<string> AnyText = Gen.OneOf(
        Gen.String[Gen.Char[' ', '~'], 0, 40], Gen.OneOf("", "\"", "\\", "\0\u001f", "Käse 🧀", "NULL", "null", "[]"),
        Gen.Select(Gen.String[Gen.Char['\0', '\u00ff'], 0, 40], Gen.OneOf("", "🧀"), (a, b) => a + b));

    private static readonly Gen<string> Digits = Gen.String[Gen.Char['0', '9'], 0, 60];

    /// <summary>A numeric as Postgres prints it, any number of digits.</summary>
    private static readonly Gen<string> AnyNumeric = Gen.Select(Gen.Bool, Digits, Digits, (negative, whole, fraction) =>
    {
        var text = whole.TrimStart('0') is { Length: > 0 } w ? w : "0";
        if (fraction.Length > 0) text += "." + fraction;
        return negative && text.Any(c => c is >= '1' and <= '9') ? "-" + text : text;
    });

    private static Gen<string> NumericOf(int precision, int scale)
    {
        var shape = DecimalShape.Of(new ColumnType(ColumnKind.Numeric, "n", precision, scale))!.Value;
        return Gen.Select(Gen.Bool, Gen.String[Gen.Char['0', '9'], 1, precision], (negative, digits) =>
        {
            var unscaled = BigInteger.Parse(digits) * BigInteger.Pow(10, Math.Max(-scale, 0));
            var text = unscaled.ToString(CultureInfo.InvariantCulture).PadLeft(shape.Scale + 1, '0');
            if (shape.Scale > 0) text = text.Insert(text.Length - shape.Scale, ".");
            return negative && !unscaled.IsZero ? "-" + text : text;
        });
    }

    private static readonly Gen<byte[]> Days = Gen.OneOf(
        Gen.Int[-2_451_545, 2_145_031_948], Gen.Int[-20_000, 20_000], Gen.OneOf(int.MinValue, int.MaxValue)).Select(d => Int32(d));

    /// <summary>Up to the end of 64-bit microseconds since 1970, which is a little before Postgres' own end.</summary>
    private static readonly Gen<byte[]> Timestamps =
        Gen.OneOf(Gen.Long[-211_813_488_000_000_000, 9_222_425_352_054_775_806], Gen.Long[-1_000_000, 1_000_000],
            Gen.OneOf(long.MinValue, long.MaxValue)).Select(Int64);

    private static (ColumnType Type, Gen<byte[]> Field) Numeric(int precision, int scale) =>
        (new ColumnType(ColumnKind.Numeric, $"numeric({precision},{scale})", precision, scale),
            NumericOf(precision, scale).Select(CopyTupleWriter.Numeric));

    private static readonly ImmutableArray<(ColumnType Type, Gen<byte[]> Field)> Kinds =
    [
        (TypeOf(ColumnKind.SmallInt), Gen.Short.Select(v => Int16(v))),
        (TypeOf(ColumnKind.Integer), Gen.Int.Select(v => Int32(v))),
        (TypeOf(ColumnKind.BigInt), Gen.Long.Select(Int64)),
        (TypeOf(ColumnKind.Numeric), Gen.OneOf(AnyNumeric, Gen.OneOf("NaN", "Infinity", "-Infinity")).Select(CopyTupleWriter.Numeric)),
        Numeric(10, 2), Numeric(9, 9), Numeric(18, 0), Numeric(38, 10), Numeric(38, 38), Numeric(30, -8), Numeric(4, 20),
        (TypeOf(ColumnKind.Real), Gen.Int.Select(bits => Real(BitConverter.Int32BitsToSingle(bits)))),
        (TypeOf(ColumnKind.Double),
            Gen.OneOf(Gen.Long.Select(BitConverter.Int64BitsToDouble), Gen.Int.Select(i => i / 100.0)).Select(CopyTupleWriter.Double)),
        (TypeOf(ColumnKind.Boolean), Gen.Bool.Select(Bool)),
        (TypeOf(ColumnKind.Text), AnyText.Select(Text)),
        (TypeOf(ColumnKind.Date), Days),
        (TypeOf(ColumnKind.Time), Gen.Long[0, 86_400_000_000].Select(Int64)),
        (TypeOf(ColumnKind.Timestamp), Timestamps),
        (TypeOf(ColumnKind.TimestampTz), Timestamps),
        (TypeOf(ColumnKind.Uuid), Gen.Byte.Array[16]),
        (TypeOf(ColumnKind.Bytea), Gen.Byte.Array[0, 100]),
        (TypeOf(ColumnKind.Json), AnyText.Select(Text)),
        (TypeOf(ColumnKind.Jsonb), AnyText.Select(Jsonb)),
    ];

    /// <summary>A schema of any columns with any names, and a tuple of it.</summary>
    private static readonly Gen<(TableSchema Schema, byte[] Tuple)> AnyRow =
        Gen.Select(Gen.Int[0, Kinds.Length - 1], Gen.Bool, AnyText).Array[1, 12].SelectMany(picks =>
        {
            var columns = picks.Select((p, i) => new Column(p.Item3 + i, Kinds[p.Item1].Type with { IsArray = p.Item2 }, true))
                .ToImmutableArray();
            var fields = picks.Select(p =>
            {
                var element = Gen.OneOf(Kinds[p.Item1].Field.Select(f => (byte[]?)f), Gen.Const((byte[]?)null));
                return p.Item2
                    ? Gen.OneOf(element.Array[0, 5].Select(e => (byte[]?)CopyTupleWriter.Array(e)), Gen.Const((byte[]?)null))
                    : element;
            });
            var key = new Column("key", TypeOf(ColumnKind.BigInt), false);
            var at = new Column("at", TypeOf(ColumnKind.TimestampTz), true);
            var schema = new TableSchema([key, at, .. columns], [0], 1);
            return fields.Aggregate(
                Gen.Const(ImmutableList<byte[]?>.Empty.Add(Int64(7)).Add(null)), (row, field) => Gen.Select(row, field, (r, f) => r.Add(f)))
                .Select(row => (schema, Tuple([.. row])));
        });

    [Fact]
    public void encode_decode_and_write_again_gives_the_same_bytes() => AnyRow.Sample(sample =>
    {
        var (key, value, again) = (new ByteBuffer(), new ByteBuffer(), new ByteBuffer());
        Assert.Equal(sample.Tuple.Length, new MessageEncoder(sample.Schema).Encode(sample.Tuple, key, value));
        var row = new DecodedRow(sample.Schema);
        new MessageDecoder(sample.Schema).Decode(value.Written, row);
        new MessageWriter(sample.Schema).Write(row, again);
        Assert.Equal(Encoding.UTF8.GetString(value.Written), Encoding.UTF8.GetString(again.Written));
    }, iter: 3_000);

    [Fact]
    public void what_is_written_is_json_to_another_reader_too() => AnyRow.Sample(sample =>
    {
        var (key, value) = (new ByteBuffer(), new ByteBuffer());
        new MessageEncoder(sample.Schema).Encode(sample.Tuple, key, value);
        using var document = JsonDocument.Parse(value.Written.ToArray());
        Assert.Equal(sample.Schema.Columns.Select(c => c.Name), document.RootElement.EnumerateObject().Select(m => m.Name));

        // And what that reader writes, with its own idea of escapes and whitespace, is the same row.
        var (row, again) = (new DecodedRow(sample.Schema), new ByteBuffer());
        var indented = JsonSerializer.SerializeToUtf8Bytes(document, new JsonSerializerOptions { WriteIndented = true });
        new MessageDecoder(sample.Schema).Decode(indented, row);
        new MessageWriter(sample.Schema).Write(row, again);
        Assert.Equal(Encoding.UTF8.GetString(value.Written), Encoding.UTF8.GetString(again.Written));
    }, iter: 1_000);

    /// <summary>Never another exception, whatever the bytes: a record is a row or goes to quarantine.</summary>
    [Fact]
    public void any_change_to_a_row_gives_a_row_or_a_reason() =>
        Gen.Select(AnyRow,
            Gen.Select(Gen.Int[0, 100_000], Gen.Int[0, 3],
                Gen.OneOf(Gen.Byte, Gen.OneOf("\"\\{}[],:-+.eEu0123456789nNIZT \n\0"u8.ToArray()))).Array[1, 6])
            .Sample((sample, changes) =>
            {
                var (key, value) = (new ByteBuffer(), new ByteBuffer());
                new MessageEncoder(sample.Schema).Encode(sample.Tuple, key, value);
                var json = value.Written.ToArray().ToList();
                foreach (var (place, how, b) in changes) Change(json, place, how, b);
                DecodesOrSaysWhy(sample.Schema, [.. json]);
            }, iter: 10_000);

    [Fact]
    public void any_bytes_give_a_reason() =>
        Gen.Select(AnyRow, Gen.OneOf(Gen.Byte.Array[0, 200], Gen.OneOf("\"\\{}[],:-+.eEu01nullNaN "u8.ToArray()).Array[0, 200]))
            .Sample((sample, bytes) => DecodesOrSaysWhy(sample.Schema, bytes), iter: 5_000);

    private static void Change(List<byte> json, int place, int how, byte b)
    {
        var at = json.Count == 0 ? 0 : place % json.Count;
        if (how == 0 || json.Count == 0) json.Insert(at, b);
        else if (how == 1) json.RemoveAt(at);
        else if (how == 2) json[at] = b;
        else json.RemoveRange(at, Math.Min(b, json.Count - at));
    }

    private static void DecodesOrSaysWhy(TableSchema schema, byte[] json)
    {
        var row = new DecodedRow(schema);
        var text = new ByteBuffer();
        try
        {
            new MessageDecoder(schema).Decode(json, row);
        }
        catch (UndecodableException e)
        {
            Assert.NotEmpty(e.Message);
            return;
        }
        // What was taken for a row is one: written again and read again, it is the same.
        new MessageWriter(schema).Write(row, text);
        var first = text.Written.ToArray();
        new MessageDecoder(schema).Decode(first, row);
        text.Clear();
        new MessageWriter(schema).Write(row, text);
        Assert.Equal(first, text.Written.ToArray());
    }
}
