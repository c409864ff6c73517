using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace OrdersStream.Site.Tests;

/// <summary>The page by keyboard, for a screen reader, on a phone, in light and dark.</summary>
public sealed class AccessTests(Browser browser)
{
    private const string Focused =
        "() => document.activeElement.id || document.activeElement.className || document.activeElement.localName";

    [Fact]
    public async Task everything_is_reached_and_read_out_by_keyboard()
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well());
        await using var watched = await browser.OpenAsync(served.Address);
        var (page, keyboard) = (watched.Page, watched.Page.Keyboard);
        await watched.ShownAsync();
        await keyboard.PressAsync("Tab");
        Assert.Equal("skip", await page.EvaluateAsync<string>(Focused));
        await keyboard.PressAsync("Enter");
        Assert.Equal("main", await page.EvaluateAsync<string>(Focused));

        await keyboard.PressAsync("Tab");
        Assert.Equal("summary", await page.EvaluateAsync<string>(Focused));
        for (var i = 0; i < 4; i++) await keyboard.PressAsync("Tab");
        Assert.Equal("plot", await page.EvaluateAsync<string>(Focused));
        Assert.NotEqual("none", await page.EvaluateAsync<string>("() => getComputedStyle(document.activeElement).outlineStyle"));
        const string Value = "() => document.activeElement.getAttribute('aria-valuetext')";
        var now = await page.EvaluateAsync<string>(Value);
        Assert.Matches(@"^\d\d:\d\d:\d\d: Kafka [\d,]+, lake [\d,]+$", now);
        await keyboard.PressAsync("Home");
        var first = await page.EvaluateAsync<string>(Value);
        Assert.NotEqual(now, first);
        Assert.Contains(first[..8], await page.Locator(".read").First.TextContentAsync());
        await keyboard.PressAsync("ArrowRight");
        Assert.NotEqual(first, await page.EvaluateAsync<string>(Value));

        await keyboard.PressAsync("Tab");
        await keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator("details[open] tbody tr")).ToHaveCountAsync(12);
        var reached = new List<string>();
        for (var i = 0; i < 11; i++)
        {
            await keyboard.PressAsync("Tab");
            reached.Add(await page.EvaluateAsync<string>(Focused));
        }
        Assert.Equal(["plot", "summary", "plot", "summary", "plot", "summary", "wide", "wide", "a", "a", "a"], reached);
    }

    [Fact]
    public async Task it_has_landmarks_headings_and_named_parts()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.Wrong);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.ShownAsync();
        var page = watched.Page;
        Assert.Equal("en", await page.EvaluateAsync<string>("() => document.documentElement.lang"));
        Assert.Equal(
            (1, 1, 1, 1),
            (
                await page.Locator("h1").CountAsync(), await page.Locator("main").CountAsync(),
                await page.Locator("body > header").CountAsync(), await page.Locator("body > footer").CountAsync()));
        foreach (var heading in new[] { "Path", "What is wrong", "Course", "Capture", "Lake", "Partitions", "Newest files" })
            Assert.Equal(
                1,
                await page.GetByRole(AriaRole.Region, new() { Name = heading, Exact = true }).Or(page.Locator("none")).First.CountAsync());
        Assert.Equal(0, await page.EvaluateAsync<int>("() => [...document.querySelectorAll('th')].filter(h => !h.scope).length"));
        string[] charts = ["Rows per second", "Changes not yet in Kafka", "Records not yet in the lake", "From a commit to a file"];
        foreach (var chart in charts)
            Assert.True(await page.GetByRole(AriaRole.Slider, new() { Name = chart }).IsVisibleAsync());
        // Only what changes seldom is announced: the figures are no live region.
        Assert.Equal(
            ["announce"],
            await page.EvaluateAsync<string[]>(
                "() => [...document.querySelectorAll('[role=status], [role=alert], [aria-live]')].map(e => e.id)"));
        Assert.Equal(
            0,
            await page.EvaluateAsync<int>(
                "() => new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size - document.querySelectorAll('[id]').length"));
    }

    [Theory]
    [InlineData(320)]
    [InlineData(390)]
    [InlineData(768)]
    [InlineData(1280)]
    public async Task the_page_never_scrolls_sideways(int width)
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.WithMarkup(new string('w', 150)));
        await using var watched = await browser.OpenAsync(served.Address, new() { ViewportSize = new() { Width = width, Height = 800 } });
        await watched.ShownAsync();
        Assert.Equal(width, await watched.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
    }

    /// <summary>By the whole catalogue of the usual checker.</summary>
    [Theory]
    [InlineData("well", ColorScheme.Light, 1280)]
    [InlineData("wrong", ColorScheme.Dark, 1280)]
    [InlineData("wrong", ColorScheme.Light, 390)]
    [InlineData("runbook", ColorScheme.Light, 390)]
    public async Task axe_finds_nothing(string shown, ColorScheme scheme, int width)
    {
        await using var served = await ServedStatus.StartAsync(shown == "wrong" ? Statuses.Wrong : () => Statuses.Well());
        await using var watched = await browser.OpenAsync(
            shown == "runbook" ? new Uri(served.Address, "runbook") : served.Address,
            new() { ColorScheme = scheme, ReducedMotion = ReducedMotion.Reduce, ViewportSize = new() { Width = width, Height = 900 } });
        if (shown == "runbook") await watched.Page.Locator("section").First.WaitForAsync();
        else await watched.ShownAsync();
        foreach (var folded in await watched.Page.Locator("details:visible > summary").AllAsync()) await folded.ClickAsync();
        var found = await watched.Page.RunAxe();
        Assert.NotEmpty(found.Passes);
        Assert.Empty(found.Violations.Select(v => $"{v.Id}: {string.Join(", ", v.Nodes.Select(n => n.Html))}"));
    }

    /// <summary>Not by scrolling a part of it, either.</summary>
    [Theory]
    [InlineData(320)]
    [InlineData(390)]
    public async Task on_a_phone_nothing_is_cut_off(int width)
    {
        await using var served = await ServedStatus.StartAsync(Statuses.Wrong);
        await using var watched = await browser.OpenAsync(served.Address, new() { ViewportSize = new() { Width = width, Height = 800 } });
        await watched.ShownAsync();
        Assert.Empty(await watched.Page.EvaluateAsync<string[]>(
            """
            () => [...document.querySelectorAll('body *')]
              .filter(e => e.checkVisibility() && !e.closest('svg, thead, .arrow, .unseen, .skip'))
              .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline'
                || e.getBoundingClientRect().right > innerWidth + 1)
              .map(e => `${e.localName}.${e.className}#${e.id} ${e.textContent.trim().slice(0, 30)}`)
            """));
        // What the headings of a table say stands beside each cell.
        Assert.Equal("Rows", await watched.Page.Locator("#files tbody td").Nth(1).GetAttributeAsync("data-name"));
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task text_can_be_read_in_light_and_dark(ColorScheme scheme)
    {
        await using var served = await ServedStatus.StartAsync(Statuses.Wrong);
        await using var watched = await browser.OpenAsync(
            served.Address, new() { ColorScheme = scheme, ReducedMotion = ReducedMotion.Reduce });
        await watched.ShownAsync();
        Assert.Equal(
            scheme == ColorScheme.Dark,
            await watched.Page.EvaluateAsync<bool>(
                "() => parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]) < 60"));
        // 4.5 to 1: what WCAG asks of text.
        Assert.Empty(await watched.Page.EvaluateAsync<string[]>(
            """
            () => {
              const parts = c => c.match(/[\d.]+/g).map(Number);
              const light = c => {
                const [r, g, b] = parts(c).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              const behind = e => {
                for (; e; e = e.parentElement) {
                  const c = getComputedStyle(e).backgroundColor;
                  if (parts(c)[3] !== 0) return c;
                }
                return 'rgb(255, 255, 255)';
              };
              const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
              return [...document.querySelectorAll('body *')]
                .filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
                .map(e => [e, ratio(light(getComputedStyle(e).color), light(behind(e)))])
                .filter(([, r]) => r < 4.5)
                .map(([e, r]) => `${e.localName}.${e.className}#${e.id} ${r.toFixed(2)} ${e.textContent.slice(0, 30)}`);
            }
            """));
    }

    [Theory]
    [InlineData("light", 1280)]
    [InlineData("dark", 1280)]
    [InlineData("phone", 390)]
    [InlineData("fault", 1280)]
    public async Task pictures_are_taken_to_be_looked_at(string name, int width)
    {
        await using var served = await ServedStatus.StartAsync(name switch
        {
            "dark" => Statuses.Wrong,
            "fault" => Statuses.ReadOnly,
            _ => () => Statuses.Well(),
        });
        await using var watched = await browser.OpenAsync(
            served.Address,
            new()
            {
                ColorScheme = name == "dark" ? ColorScheme.Dark : ColorScheme.Light, ViewportSize = new() { Width = width, Height = 900 },
            });
        await watched.ShownAsync();
        var picture = await watched.Page.ScreenshotAsync(new() { FullPage = true });
        Assert.InRange(picture.Length, 10_000, 2_000_000);
        TestContext.Current.AddAttachment($"{name}.png", picture, "image/png");
        if (Environment.GetEnvironmentVariable("ORDERS_STREAM_PICTURES") is { Length: > 0 } folder)
            await File.WriteAllBytesAsync(Path.Combine(folder, $"{name}.png"), picture, TestContext.Current.CancellationToken);
    }
}
