using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace OrdersStream.Configuration;

/// <summary>
/// Takes <c>jdbc:postgresql://host:port/db?parameters</c> apart into the keys it stands for, by the PostgreSQL JDBC
/// driver's rules: form encoding (%XX, + for a space), names of parameters with their case, <c>ssl=true</c> means verify-full.
/// No message shows the URL or a value from it before it is known that no password can be in there.
/// </summary>
internal sealed partial class JdbcUrl
{
    public const string Prefix = "jdbc:postgresql:";

    /// <summary>Parameters that are honoured, and the key each stands for.</summary>
    private static readonly Dictionary<string, string> Honoured = new()
    {
        ["user"] = "user",
        ["password"] = "password",
        ["ssl"] = "sslmode",
        ["sslmode"] = "sslmode",
        ["sslrootcert"] = "sslrootcert",
        ["sslcert"] = "sslcert",
        ["sslkey"] = "sslkey",
        ["connectTimeout"] = "connect_timeout",
        ["ApplicationName"] = "application_name",
        ["currentSchema"] = "schema",
    };

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly GivenValue url;
    private readonly FaultList faults;
    private readonly Dictionary<string, GivenValue> parts = [];

    private JdbcUrl(GivenValue url, FaultList faults)
    {
        this.url = url;
        this.faults = faults;
    }

    /// <summary>The keys that the URL gives; what is wrong with it is noted and left out.</summary>
    /// <param name="serverIsReadable">False when host, port or database could not be told.</param>
    public static IReadOnlyCollection<GivenValue> Read(GivenValue url, FaultList faults, out bool serverIsReadable)
    {
        var reader = new JdbcUrl(url, faults);
        serverIsReadable = reader.Read();
        return reader.parts.Values;
    }

    /// <summary>The URL of the server and database in force, without parameters: nothing in it is secret.</summary>
    public static string Format(string host, int port, string db)
    {
        var name = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : Uri.EscapeDataString(host);
        return $"{Prefix}//{name}:{port}/{Uri.EscapeDataString(db)}";
    }

    private bool Read()
    {
        var before = faults.Count;
        if (!url.Text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            Fault($"{url.Label} must begin with {Prefix}//");
            return false;
        }
        var rest = url.Text[Prefix.Length..];
        var question = rest.IndexOf('?', StringComparison.Ordinal);
        var server = question < 0 ? rest : rest[..question];
        if (server.Contains('@', StringComparison.Ordinal))
            Fault($"{url.Label} holds an @ before its parameters; give user and password by the keys user and password, "
                + "or by ?user=...&password=...");
        else if (server.AsSpan().IndexOfAny(';', '&', '=') >= 0) Fault($"{url.Label} must begin its parameters with ? and part them by &");
        else ReadServer(server);
        var readable = faults.Count == before;
        if (question >= 0) ReadParameters(rest[(question + 1)..]);
        return readable;
    }

    private void ReadServer(string server)
    {
        var db = server.TrimStart('/');
        if (server.StartsWith("//", StringComparison.Ordinal))
        {
            var slash = server.IndexOf('/', 2);
            ReadAuthority(slash < 0 ? server[2..] : server[2..slash]);
            db = slash < 0 ? "" : server[(slash + 1)..];
        }
        if (db.Contains('/', StringComparison.Ordinal)) Fault($"{url.Label} holds a / in the database's name; write it as %2F");
        else if (db != "" && Decode(db, "database") is { } name) Add("db", name, db);
    }

    private void ReadAuthority(string authority)
    {
        if (authority.Contains(',', StringComparison.Ordinal))
        {
            Fault($"{url.Label} names several hosts; one source is read, so name one (after a failover, change it)");
            return;
        }
        var bracket = authority.StartsWith('[') ? authority.IndexOf(']', StringComparison.Ordinal) : -1;
        var colon = authority.IndexOf(':', bracket + 1);
        var host = colon < 0 ? authority : authority[..colon];
        var port = colon < 0 ? "" : authority[(colon + 1)..];
        if (bracket > 0)
        {
            if (host != authority[..(bracket + 1)] || !IPAddress.TryParse(host[1..^1], out var address)
                || address.AddressFamily != AddressFamily.InterNetworkV6)
                Fault($"{url.Label} holds brackets that enclose no IPv6 address");
            else Add("host", host[1..^1], host);
        }
        else if (port.Contains(':', StringComparison.Ordinal))
            Fault($"{url.Label} holds more than one colon in host and port; an IPv6 address stands in brackets");
        else if (host != "" && Decode(host, "host") is { } name) Add("host", name, host);
        if (port == "" || port.Contains(':', StringComparison.Ordinal)) return;
        if (port.All(char.IsAsciiDigit)) Add("port", port, ":" + port);
        else Fault($"{url.Label} holds a port that is no whole number; it must be {SettingsReference.Get("postgres.port").Range}");
    }

    private void ReadParameters(string text)
    {
        var afterPassword = false;
        var seen = new HashSet<string>();
        foreach (var parameter in text.Split('&').Where(p => p != ""))
        {
            var equals = parameter.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? parameter : parameter[..equals];
            if (Honoured.TryGetValue(name, out var key))
            {
                if (!seen.Add(name)) Fault($"{url.Label} gives {name} twice", name + "=");
                else if (Decode(equals < 0 ? "" : parameter[(equals + 1)..], name) is { } value) ReadParameter(name, key, value);
            }
            else Fault(Refusal(name, afterPassword), parameter);
            afterPassword |= name.Contains("password", StringComparison.OrdinalIgnoreCase);
        }
    }

    private void ReadParameter(string name, string key, string value)
    {
        if (name == "ssl")
        {
            // The driver's rule: sslmode has the last word; without it, ssl means full verification.
            var on = value is "" || value.Equals("true", StringComparison.OrdinalIgnoreCase);
            if (!on && !value.Equals("false", StringComparison.OrdinalIgnoreCase))
                Fault($"the parameter ssl of {url.Label} must be true or false", "ssl=");
            if (on && !parts.ContainsKey(key)) Add(key, "verify-full", "ssl", name);
            return;
        }
        if (name == "currentSchema" && value.Contains(',', StringComparison.Ordinal))
            Fault($"the parameter currentSchema of {url.Label} names several schemas; name the table's", "currentSchema=");
        else Add(key, value, name + "=", name);
    }

    /// <summary>The name is not shown where it may be a piece of a password that holds an &amp;.</summary>
    private string Refusal(string name, bool afterPassword)
    {
        if (afterPassword)
            return $"{url.Label} holds a parameter behind the password that is not supported; remove it, or where the password has an &, "
                + "write it as %26, or use the key password";
        var suggestion = NearestName.Suggestion(name, Honoured.Keys);
        return $"the parameter {ShownValue.Of(name)} of {url.Label} is not supported{(suggestion == "" ? "; remove it" : suggestion)}";
    }

    private void Add(string key, string text, string fragment, string? parameter = null)
    {
        var label = parameter is null ? $"the {key} in {url.Label}" : $"the parameter {parameter} of {url.Label}";
        parts[key] = new GivenValue(SettingsReference.Get($"postgres.{key}"), text, null, url.Origin.At(fragment), label);
    }

    /// <summary>Decoded as a form is; null when it is malformed (the fault is noted).</summary>
    private string? Decode(string text, string part)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        try
        {
            if (!MalformedEscape().IsMatch(text)) return StrictUtf8.GetString(WebUtility.UrlDecodeToBytes(bytes, 0, bytes.Length));
        }
        catch (DecoderFallbackException)
        {
            // The bytes that the escapes stand for are no text.
        }
        Fault($"the {part} in {url.Label} holds a % that begins no UTF-8 character (write % itself as %25)");
        return null;
    }

    [GeneratedRegex("%(?![0-9A-Fa-f]{2})")]
    private static partial Regex MalformedEscape();

    private void Fault(string message, string fragment = "") => faults.Add(url.Origin.At(fragment), message);
}
