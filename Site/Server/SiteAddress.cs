using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace OrdersStream.Site.Server;

/// <summary>The address as one gives it to <c>--ui</c>: nothing, a port, or an address of this machine with a port.</summary>
internal static class SiteAddress
{
    public const int Port = 8080;

    public static IPEndPoint Default { get; } = new(IPAddress.Loopback, Port);

    public static bool TryParse(string text, [NotNullWhen(true)] out IPEndPoint? address)
    {
        address = null;
        var colon = text.LastIndexOf(':');
        var host = colon < 0 ? "" : text[..colon];
        var digits = text[(colon + 1)..];
        if (!int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port > IPEndPoint.MaxPort) return false;
        if (TryHost(host) is not { } ip) return false;
        address = new IPEndPoint(ip, port);
        return true;
    }

    private static IPAddress? TryHost(string host) => host switch
    {
        "" or "localhost" => IPAddress.Loopback,
        "*" => IPAddress.Any,
        _ when host.Contains(':', StringComparison.Ordinal) && host[0] != '[' => null,
        _ => IPAddress.TryParse(host.Trim('[', ']'), out var ip) ? ip : null,
    };
}
