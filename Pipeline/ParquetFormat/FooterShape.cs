namespace OrdersStream.ParquetFormat;

/// <summary>
/// Whether a footer's bytes are what Parquet.Net takes them for. The package reads a field by its number alone, and reads on behind the
/// end: a footer whose bytes do not come out leads it into a number that never ends. So the same bytes are walked first, with the types
/// that Apache Parquet's parquet.thrift gives to each field.
/// </summary>
internal ref struct FooterShape
{
    /// <summary>Types as Thrift's compact protocol writes them; each whole number is written the same way.</summary>
    private enum Wire
    {
        True = 1, False = 2, Byte = 3, Int16 = 4, Int32 = 5, Int64 = 6, Double = 7, Binary = 8, List = 9, Struct = 12,
    }

    private sealed record Field(Wire Type, Field? Element = null, Dictionary<int, Field>? Fields = null);

    private const int DepthMax = 32;

    private static readonly Field Boolean = new(Wire.True), Byte = new(Wire.Byte), Integer = new(Wire.Int64), Double = new(Wire.Double),
        Binary = new(Wire.Binary), Empty = Struct([]);

    private static readonly Field KeyValue = Struct(new() { [1] = Binary, [2] = Binary });

    private static readonly Field Statistics = Struct(new()
    {
        [1] = Binary, [2] = Binary, [3] = Integer, [4] = Integer, [5] = Binary, [6] = Binary, [7] = Boolean, [8] = Boolean,
    });

    private static readonly Field TimeUnit = Struct(new() { [1] = Empty, [2] = Empty, [3] = Empty });
    private static readonly Field TimeType = Struct(new() { [1] = Boolean, [2] = TimeUnit });

    private static readonly Field LogicalType = Struct(new()
    {
        [1] = Empty, [2] = Empty, [3] = Empty, [4] = Empty, [5] = Struct(new() { [1] = Integer, [2] = Integer }), [6] = Empty,
        [7] = TimeType, [8] = TimeType, [10] = Struct(new() { [1] = Byte, [2] = Boolean }), [11] = Empty, [12] = Empty, [13] = Empty,
        [14] = Empty, [15] = Empty, [16] = Struct(new() { [1] = Byte }), [17] = Struct(new() { [1] = Binary }),
        [18] = Struct(new() { [1] = Binary, [2] = Integer }),
    });

    private static readonly Field SchemaElement = Struct(new()
    {
        [1] = Integer, [2] = Integer, [3] = Integer, [4] = Binary, [5] = Integer, [6] = Integer, [7] = Integer, [8] = Integer,
        [9] = Integer, [10] = LogicalType,
    });

    private static readonly Field SizeStatistics = Struct(new() { [1] = Integer, [2] = List(Integer), [3] = List(Integer) });

    private static readonly Field GeospatialStatistics = Struct(new()
    {
        [1] = Struct(Enumerable.Range(1, 8).ToDictionary(id => id, _ => Double)), [2] = List(Integer),
    });

    private static readonly Field ColumnMetaData = Struct(new()
    {
        [1] = Integer, [2] = List(Integer), [3] = List(Binary), [4] = Integer, [5] = Integer, [6] = Integer, [7] = Integer,
        [8] = List(KeyValue), [9] = Integer, [10] = Integer, [11] = Integer, [12] = Statistics,
        [13] = List(Struct(new() { [1] = Integer, [2] = Integer, [3] = Integer })), [14] = Integer, [15] = Integer,
        [16] = SizeStatistics, [17] = GeospatialStatistics,
    });

    private static readonly Field ColumnChunk = Struct(new()
    {
        [1] = Binary, [2] = Integer, [3] = ColumnMetaData, [4] = Integer, [5] = Integer, [6] = Integer, [7] = Integer,
        [8] = Struct(new() { [1] = Empty, [2] = Struct(new() { [1] = List(Binary), [2] = Binary }) }), [9] = Binary,
    });

    private static readonly Field RowGroup = Struct(new()
    {
        [1] = List(ColumnChunk), [2] = Integer, [3] = Integer,
        [4] = List(Struct(new() { [1] = Integer, [2] = Boolean, [3] = Boolean })), [5] = Integer, [6] = Integer, [7] = Integer,
    });

    private static readonly Field Cipher = Struct(new() { [1] = Binary, [2] = Binary, [3] = Boolean });

    private static readonly Field FileMetaData = Struct(new()
    {
        [1] = Integer, [2] = List(SchemaElement), [3] = Integer, [4] = List(RowGroup), [5] = List(KeyValue), [6] = Binary,
        [7] = List(Struct(new() { [1] = Empty })), [8] = Struct(new() { [1] = Cipher, [2] = Cipher }), [9] = Binary,
    });

    private readonly ReadOnlySpan<byte> bytes;
    private int at;

    private FooterShape(ReadOnlySpan<byte> footer) => bytes = footer;

    /// <exception cref="FormatException">The bytes are no footer, or more than one.</exception>
    public static void Check(ReadOnlySpan<byte> footer)
    {
        var walk = new FooterShape(footer);
        walk.Fields(FileMetaData, DepthMax);
        if (walk.at != footer.Length) throw new FormatException($"its footer ends after {walk.at} of {footer.Length} bytes.");
    }

    private static Field Struct(Dictionary<int, Field> fields) => new(Wire.Struct, Fields: fields);

    private static Field List(Field element) => new(Wire.List, element);

    private void Fields(Field? known, int depth)
    {
        if (depth == 0) throw new FormatException("its footer is nested too deeply.");
        for (short id = 0; Next() is var header && header != 0;)
        {
            id = (short)(header >> 4 == 0 ? ZigZag(Number()) : id + (header >> 4));
            Value((Wire)(header & 0x0F), known?.Fields?.GetValueOrDefault(id), depth, id);
        }
    }

    private void Value(Wire type, Field? known, int depth, int id)
    {
        if (known is not null && Written(type) != Written(known.Type))
            throw new FormatException($"field {id} at byte {at} of its footer is {type}; Parquet has {known.Type} there.");
        switch (type)
        {
            case Wire.True or Wire.False:
                break;
            case Wire.Byte:
                Skip(1);
                break;
            case Wire.Int16 or Wire.Int32 or Wire.Int64:
                Number();
                break;
            case Wire.Double:
                Skip(sizeof(double));
                break;
            case Wire.Binary:
                Skip(Number());
                break;
            case Wire.Struct:
                Fields(known, depth - 1);
                break;
            case Wire.List:
                Elements(known?.Element, depth, id);
                break;
            default:
                throw new FormatException($"field {id} at byte {at} of its footer has a type that Parquet has not: {(int)type}.");
        }
    }

    private void Elements(Field? known, int depth, int id)
    {
        if (depth == 0) throw new FormatException("its footer is nested too deeply.");
        var header = Next();
        var size = header >> 4 == 15 ? Number() : (ulong)(header >> 4);
        if (size > (ulong)(bytes.Length - at))
            throw new FormatException(
                $"field {id} at byte {at} of its footer is a list of {size} elements; {bytes.Length - at} bytes are left.");
        for (; size > 0; size--) Value((Wire)(header & 0x0F), known, depth - 1, id);
    }

    private static Wire Written(Wire type) => type switch
    {
        Wire.False => Wire.True,
        Wire.Int16 or Wire.Int32 => Wire.Int64,
        _ => type,
    };

    private byte Next() => at < bytes.Length ? bytes[at++] : throw Ends();

    private void Skip(ulong count)
    {
        if (count > (ulong)(bytes.Length - at)) throw Ends();
        at += (int)count;
    }

    /// <summary>Seven bits a byte, the lowest first.</summary>
    private ulong Number()
    {
        var number = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var part = Next();
            number |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80) return number;
        }
        throw new FormatException($"byte {at} of its footer belongs to a number of more than 64 bits.");
    }

    private static long ZigZag(ulong number) => (long)(number >> 1) ^ -(long)(number & 1);

    private readonly FormatException Ends() => new($"its footer of {bytes.Length} bytes does not come to an end.");
}
