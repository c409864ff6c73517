using Microsoft.Playwright;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.Site.Tests;

/// <summary>The Chromium of this machine, headless, for all tests of the assembly.</summary>
public sealed class Browser : IAsyncLifetime
{
    /// <summary>Path of a Chromium to use.</summary>
    private const string Chromium = "ORDERS_STREAM_TEST_CHROMIUM";

    private static readonly string[] Known =
    [
        "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ];

    private IPlaywright? playwright;
    private IBrowser? browser;

    public async ValueTask InitializeAsync()
    {
        if ((TestEnvironment.Read(Chromium) ?? Array.Find(Known, File.Exists)) is not { } path) return;
        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = path,
            // Nothing but the page: a browser of its own has much to ask elsewhere.
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
            ],
        });
    }

    /// <summary>A page in a context of its own, watched from its first request on.</summary>
    public async Task<WatchedPage> OpenAsync(Uri address, BrowserNewPageOptions? options = null)
    {
        if (browser is null)
            TestEnvironment.MissingServer($"needs Chromium: install Debian's package chromium, or set {Chromium} to its path");
        return await WatchedPage.OpenAsync(browser!, address, options ?? new());
    }

    public async ValueTask DisposeAsync()
    {
        if (browser is not null) await browser.DisposeAsync();
        playwright?.Dispose();
    }
}
