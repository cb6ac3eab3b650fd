using Microsoft.Playwright;

namespace FuncScaler.Tests;

/// <summary>The Chromium of this machine.</summary>
internal static class Chromium
{
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

    /// <summary>Where it is; null where there is none.</summary>
    public static string? Path { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator)
        .SelectMany(folder => Names.Select(name => System.IO.Path.Combine(folder, name))).FirstOrDefault(File.Exists);

    /// <summary>Why tests with a browser are skipped; null where they run.</summary>
    public static string? Missing => Path is null ? "no chromium is on the PATH: install Debian's package chromium" : null;
}

/// <summary>A test that needs a browser; reported as skipped, with the reason, where there is none. <c>.ci/run</c> installs it.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class BrowserFactAttribute : FactAttribute
{
    public BrowserFactAttribute() => Skip = Chromium.Missing;
}

/// <inheritdoc cref="BrowserFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class BrowserTheoryAttribute : TheoryAttribute
{
    public BrowserTheoryAttribute() => Skip = Chromium.Missing;
}

/// <summary>A browser.</summary>
public sealed class BrowserFixture : IAsyncLifetime
{
    private IPlaywright? _playwright;

    public IBrowser Browser { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (Chromium.Missing is not null)
        {
            return;
        }

        _playwright = await Playwright.CreateAsync();
        Browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Chromium.Path,

            // Chromium refuses to run as root with its sandbox, and what it shows here is ours.
            ChromiumSandbox = false,
            Args = ["--disable-gpu"],
        });
    }

    public async Task DisposeAsync()
    {
        if (_playwright is not null)
        {
            await Browser.DisposeAsync();
            _playwright.Dispose();
        }
    }
}

/// <summary>One page in a browser profile of its own, with all that it asked for and complained of.</summary>
internal sealed class Tab : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly List<string> _complaints = [];
    private readonly List<Uri> _requests = [];

    private Tab(IBrowserContext context, IPage page)
    {
        _context = context;
        Page = page;
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                Add(_complaints, message.Text);
            }
        };
        page.PageError += (_, error) => Add(_complaints, error);
        context.Request += (_, request) => Add(_requests, new Uri(request.Url));
    }

    public IPage Page { get; }

    /// <summary>Errors and warnings in the browser's console.</summary>
    public IReadOnlyList<string> Complaints => Copy(_complaints);

    /// <summary>What the page has asked for, pictures within it left out.</summary>
    public IReadOnlyList<Uri> Requests => [.. Copy(_requests).Where(uri => uri.Scheme != "data")];

    public static async Task<Tab> OpenAsync(IBrowser browser, Uri address, int width = 1280, int height = 900, ColorScheme scheme = ColorScheme.Light)
    {
        var context = await browser.NewContextAsync(new BrowserNewContextOptions
        {
            ViewportSize = new ViewportSize { Width = width, Height = height },
            ColorScheme = scheme,
        });
        var tab = new Tab(context, await context.NewPageAsync());
        await tab.Page.GotoAsync(address.AbsoluteUri);
        return tab;
    }

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();

    private static void Add<T>(List<T> list, T item)
    {
        lock (list)
        {
            list.Add(item);
        }
    }

    private static List<T> Copy<T>(List<T> list)
    {
        lock (list)
        {
            return [.. list];
        }
    }
}
