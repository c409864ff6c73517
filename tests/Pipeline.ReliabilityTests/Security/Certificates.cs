using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using OrdersStream.Demo.Servers;
using OrdersStream.TestKit;

namespace OrdersStream.ReliabilityTests.Security;

/// <summary>A certificate authority and a server certificate of its making, for <c>localhost</c> and no other name, as PEM files.</summary>
internal sealed class Certificates : IDisposable
{
    private readonly TestFolder folder = new("tls");

    private Certificates(X509Certificate2 authority, ECDsa key, X509Certificate2 server)
    {
        Write(Authority, authority.ExportCertificatePem());
        Write(Server, server.ExportCertificatePem());
        Write(ServerKey, key.ExportPkcs8PrivateKeyPem());
        Write(
            ServerStore,
            string.Join('\n', key.ExportPkcs8PrivateKeyPem(), server.ExportCertificatePem(), authority.ExportCertificatePem()));
    }

    /// <summary>The authority's certificate.</summary>
    public string Authority => folder.PathOf("authority.pem");

    public string Server => folder.PathOf("server.pem");

    /// <summary>PKCS#8, readable by its owner only.</summary>
    public string ServerKey => folder.PathOf("server.key");

    /// <summary>The server's key and chain in one file.</summary>
    public string ServerStore => folder.PathOf("server-store.pem");

    public static Certificates Make()
    {
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=orders-stream test authority", authorityKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var (begin, end) = (TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
        using var authority = request.CreateSelfSigned(begin, end);

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var server = ServerRequest(key, authority).Create(authority, begin, end, RandomNumberGenerator.GetBytes(16));
        return new Certificates(authority, key, server);
    }

    /// <summary>Postgres does not run as root, and takes no key that is another user's.</summary>
    public async Task GiveToPostgresAsync(CancellationToken cancellationToken)
    {
        if (await UnprivilegedUser.ForRootAsync(cancellationToken) is { } user) await user.OwnAsync(folder.Path, cancellationToken);
    }

    public void Dispose() => folder.Dispose();

    private static CertificateRequest ServerRequest(ECDsa key, X509Certificate2 authority)
    {
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        request.CertificateExtensions.Add(
            X509AuthorityKeyIdentifierExtension.CreateFromCertificate(
                authority, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        return request;
    }

    private static void Write(string path, string text)
    {
        File.WriteAllText(path, text + "\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
