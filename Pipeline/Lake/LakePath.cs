using System.Globalization;
using System.Text.RegularExpressions;

namespace OrdersStream.Lake;

/// <summary>What kind of file of the lake.</summary>
internal enum LakeFileKind
{
    /// <summary>Rows: <c>part-….parquet</c>.</summary>
    Data,
    /// <summary>Records that are no rows: <c>_quarantine/quarantine-….jsonl</c>.</summary>
    Quarantine,
    /// <summary>Which of those came again, by records with these offsets: <c>_quarantine/replayed-….json</c>.</summary>
    Replayed,
}

/// <summary>What a file's name says.</summary>
/// <param name="Kind">Rows, quarantine, or what was replayed of it.</param>
/// <param name="Partition">Kafka's partition.</param>
/// <param name="FirstOffset">Offset of its first record.</param>
/// <param name="LastOffset">Offset of its last record.</param>
/// <param name="Generation">How often the partition had lost its end before: offsets of another generation are other records'.</param>
internal readonly record struct LakeFileName(LakeFileKind Kind, int Partition, long FirstOffset, long LastOffset, int Generation = 0);

/// <summary>
/// The grammar of names in the lake: <c>by_order_date=YYYY-MM-DD/part-&lt;partition&gt;-&lt;first&gt;-&lt;last&gt;.parquet</c>, and
/// <c>_quarantine/quarantine-&lt;partition&gt;-&lt;first&gt;-&lt;last&gt;.jsonl</c>, with <c>replayed-….json</c> beside it; where
/// the partition had lost its end before, with <c>g&lt;generation&gt;</c> behind its number. Until it is committed a file has a hidden
/// name that no reader's pattern matches (invariant 4), in the same folder, so that the last step is a rename. Relative paths use '/'.
/// </summary>
internal static partial class LakePath
{
    public const string QuarantineFolder = "_quarantine";

    /// <summary>The final path below the lake's folder.</summary>
    /// <param name="folder">The lake partition's folder; empty where the lake has none.</param>
    public static string Final(string folder, LakeFileName file)
    {
        var generation = file.Generation == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"g{file.Generation}");
        var records = string.Create(CultureInfo.InvariantCulture, $"{file.Partition}{generation}-{file.FirstOffset}-{file.LastOffset}");
        var name = file.Kind switch
        {
            LakeFileKind.Data => $"part-{records}.parquet",
            LakeFileKind.Quarantine => $"quarantine-{records}.jsonl",
            _ => $"replayed-{records}.json",
        };
        return folder.Length == 0 ? name : $"{folder}/{name}";
    }

    /// <summary>The hidden path beside it under which one writer writes the file.</summary>
    public static string Temporary(string final, string writerId)
    {
        var slash = final.LastIndexOf('/') + 1;
        return $"{final[..slash]}.{final[slash..]}.{writerId}.tmp";
    }

    /// <summary>Reads back a final name, with or without its folders.</summary>
    public static bool TryParse(string path, out LakeFileName file)
    {
        file = default;
        var match = FinalName().Match(path[(path.LastIndexOf('/') + 1)..]);
        if (!match.Success) return false;
        var kind = match.Groups["data"].Success ? LakeFileKind.Data
            : match.Groups["replayed"].Success ? LakeFileKind.Replayed : LakeFileKind.Quarantine;
        if (!int.TryParse(match.Groups["p"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var partition)
            || !long.TryParse(match.Groups["f"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            || !long.TryParse(match.Groups["l"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            || last < first)
            return false;
        var generation = match.Groups["g"].Success ? int.Parse(match.Groups["g"].Value, CultureInfo.InvariantCulture) : 0;
        file = new LakeFileName(kind, partition, first, last, generation);
        // One name, one file: what would be written differently (leading zeros) is not ours.
        return match.Value == Final("", file);
    }

    /// <summary>Reads back a hidden name, if a writer with this prefix of its id gave it.</summary>
    public static bool TryParseTemporary(string fileName, string writerPrefix, out LakeFileName file)
    {
        file = default;
        var match = TemporaryName().Match(fileName);
        return match.Success
            && match.Groups["w"].Value.StartsWith(writerPrefix, StringComparison.Ordinal)
            && TryParse(match.Groups["n"].Value, out file);
    }

    /// <summary>
    /// A text that names paths below the lake, without the values of rows by which folders are named (invariant 9); a
    /// file's own name, which no other file of the lake has, is enough to find it. Days of <c>by_order_date</c> stay.
    /// </summary>
    /// <param name="lake">The lake's folder, which stays as it is.</param>
    public static string WithoutValues(string text, string lake = "\0") =>
        string.Join(lake, text.Split(lake).Select(part => FolderOfValue().Replace(part, "${column}=*")));

    /// <summary>The same failure, without them in its text.</summary>
    public static Exception WithoutValues(Exception failure, string lake) => failure switch
    {
        UnauthorizedAccessException => new UnauthorizedAccessException(WithoutValues(failure.Message, lake)),
        _ => new IOException(WithoutValues(failure.Message, lake), failure.HResult),
    };

    // As PathSegment writes it.
    [GeneratedRegex(@"(?<=\A|[/\\'])(?!(?:by_)?order_date=)(?<column>[A-Za-z0-9_.%-]+)=[A-Za-z0-9_.%-]+(?=\z|[/\\'])")]
    private static partial Regex FolderOfValue();

    [GeneratedRegex(
        @"\A(?:(?<data>part)-(?<p>[0-9]{1,10})(?:g(?<g>[1-9][0-9]{0,8}))?-(?<f>[0-9]{1,19})-(?<l>[0-9]{1,19})\.parquet"
        + @"|quarantine-(?<p>[0-9]{1,10})(?:g(?<g>[1-9][0-9]{0,8}))?-(?<f>[0-9]{1,19})-(?<l>[0-9]{1,19})\.jsonl"
        + @"|(?<replayed>replayed)-(?<p>[0-9]{1,10})(?:g(?<g>[1-9][0-9]{0,8}))?-(?<f>[0-9]{1,19})-(?<l>[0-9]{1,19})\.json)\z")]
    private static partial Regex FinalName();

    [GeneratedRegex(@"\A\.(?<n>(?:part|quarantine|replayed)-[0-9g-]+\.(?:parquet|jsonl?))\.(?<w>[0-9a-z-]+)\.tmp\z")]
    private static partial Regex TemporaryName();
}
