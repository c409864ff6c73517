using System.Text.Unicode;
using OrdersStream.Diagnostics;

namespace OrdersStream.Rows;

/// <summary>A record's value is not a row of its schema. The reason names the column and the expectation, never a value.</summary>
public sealed class UndecodableException(string reason)
    : PipelineException(new FailureVerdict(FailureAction.Quarantine, reason, "See the quarantine folder of the lake."))
{
    public override string Message => Verdict.Problem;
}

/// <summary>
/// Message to row: one flat JSON object to typed cells. What our encoder wrote is read by comparing the expected names as
/// bytes; anything else (another order, whitespace, escaped names) is read member by member.
/// </summary>
public sealed class MessageDecoder(TableSchema schema)
{
    private readonly ExpectedColumn[] columns = [.. schema.Columns.Select((column, i) => new ExpectedColumn(column, first: i == 0))];

    public TableSchema Schema { get; } = schema;

    /// <summary>Decodes into <paramref name="row"/>, which must be of the same schema. Strict: every column once, nothing else.</summary>
    /// <exception cref="UndecodableException">
    /// Not JSON, not an object, a column missing, unknown, doubled, of another type or out of range.
    /// </exception>
    public void Decode(ReadOnlySpan<byte> json, DecodedRow row)
    {
        if (!Utf8.IsValid(json)) throw new UndecodableException("not UTF-8");
        if (!TryDecodeInOrder(new MessageParser(json, row))) DecodeMembers(new MessageParser(json, row));
    }

    /// <summary>False at the first byte that our encoder would not have written between two values.</summary>
    private bool TryDecodeInOrder(MessageParser parser)
    {
        for (var i = 0; i < columns.Length; i++)
        {
            if (!parser.TrySkip(columns[i].Prefix)) return false;
            parser.ReadValue(columns[i], i);
        }
        return parser.TrySkip("}"u8) && parser.AtEnd;
    }

    private void DecodeMembers(MessageParser parser)
    {
        Span<bool> seen = columns.Length <= 2048 ? stackalloc bool[columns.Length] : new bool[columns.Length];
        if (!parser.TrySkipToken((byte)'{')) throw new UndecodableException("not a JSON object");
        var next = 0;
        for (var member = 1; !parser.TrySkipToken((byte)'}'); member++)
        {
            if (member > 1 && !parser.TrySkipToken((byte)','))
                throw new UndecodableException($"no comma or closing brace behind member {member - 1}");
            var i = Find(parser.ReadName(member), next);
            if (i < 0) throw new UndecodableException($"member {member} is no column of the table");
            if (seen[i]) throw columns[i].Wrong("given twice");
            if (!parser.TrySkipToken((byte)':')) throw columns[i].Wrong("no colon behind the name");
            parser.ReadValue(columns[i], i);
            seen[i] = true;
            next = i + 1;
        }
        if (!parser.AtEndBehindWhitespace()) throw new UndecodableException("something follows the JSON object");
        if (seen.IndexOf(false) is >= 0 and var missing) throw columns[missing].Wrong("missing");
    }

    /// <summary>Most producers keep an order, so the column after the last one is tried first.</summary>
    private int Find(ReadOnlySpan<byte> name, int next)
    {
        if (next < columns.Length && name.SequenceEqual(columns[next].Name)) return next;
        for (var i = 0; i < columns.Length; i++)
            if (name.SequenceEqual(columns[i].Name)) return i;
        return -1;
    }
}
