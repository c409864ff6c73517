namespace OrdersStream.Configuration;

/// <summary>A value as it was given for one key, before it is checked.</summary>
/// <param name="Text">The scalar, or empty for a list.</param>
/// <param name="Items">The elements of a YAML list, else null.</param>
/// <param name="Label">What messages call it: the key, or the part of jdbc_url it came from.</param>
internal sealed record GivenValue(SettingInfo Setting, string Text, IReadOnlyList<string>? Items, Origin Origin, string Label)
{
    public GivenValue(SettingInfo setting, string text, Origin origin, IReadOnlyList<string>? items = null)
        : this(setting, text, items, origin, setting.Name)
    {
    }

    public Layer Layer => Origin.Layer;

    /// <summary>The key is there, but with something that is no value of it; the fault is noted already.</summary>
    public bool IsUnusable { get; init; }
}

/// <summary>
/// How values look in a message: a secret never, anything else short and on one line, and no credentials in what
/// looks like a URL (invariant 9).
/// </summary>
internal static class ShownValue
{
    public const string Mask = "********";
    private const int LengthMax = 60;

    public static string Of(SettingInfo setting, string text) => setting.Secret ? Mask : Of(text);

    public static string Of(string text)
    {
        // Whatever stands before an @ may be a user and password that strayed here.
        var at = text.LastIndexOf('@');
        if (at >= 0) text = Mask + text[at..];
        return OfPath(text.Length > LengthMax ? text[..LengthMax] + "..." : text);
    }

    /// <summary>The whole of it, on one line: of a path the end counts.</summary>
    public static string OfPath(string text)
    {
        return "'" + string.Concat(text.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)) + "'";
    }
}
