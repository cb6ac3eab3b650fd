using FuncScaler.FunctionsHost.Storage;

namespace FuncScaler.Tests;

/// <summary>One Azurite for all: each test takes a task hub of its own.</summary>
public sealed class StorageFixture : IAsyncLifetime
{
    private Azurite? _azurite;

    internal Azurite Azurite => _azurite ?? throw new InvalidOperationException(Azurite.Missing);

    /// <summary>The account's connection string.</summary>
    public string Storage => Azurite.ConnectionString;

    /// <summary>A task hub that nobody has.</summary>
    public static string NewHub() => "t" + Guid.NewGuid().ToString("N")[..12];

    public async Task InitializeAsync()
    {
        if (Azurite.Missing is null)
        {
            _azurite = await Azurite.StartAsync(CancellationToken.None);
        }
    }

    public async Task DisposeAsync()
    {
        if (_azurite is not null)
        {
            await _azurite.DisposeAsync();
        }
    }
}

/// <summary>The tests run one after another: each has processes of its own, and the machine few cores.</summary>
[CollectionDefinition(Name)]
public sealed class StorageDefinition : ICollectionFixture<StorageFixture>
{
    public const string Name = "storage";
}
