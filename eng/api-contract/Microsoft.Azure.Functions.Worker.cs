using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Microsoft.Azure.Functions.Worker
{
    [AttributeUsage(AttributeTargets.Method)]
    public class FunctionAttribute : Attribute
    {
        public FunctionAttribute(string name) => throw null!;
    }
}

namespace Microsoft.Azure.Functions.Worker.Extensions.Abstractions
{
    public abstract class BindingAttribute : Attribute
    {
        public BindingAttribute() => throw null!;
    }

    public abstract class TriggerBindingAttribute : BindingAttribute
    {
        public TriggerBindingAttribute() => throw null!;
    }

    public abstract class InputBindingAttribute : BindingAttribute
    {
        public InputBindingAttribute() => throw null!;
    }
}

namespace Microsoft.Azure.Functions.Worker.Builder
{
    public class FunctionsApplication
    {
        public static FunctionsApplicationBuilder CreateBuilder(string[] args) => throw null!;
    }

    public class FunctionsApplicationBuilder
    {
        internal FunctionsApplicationBuilder() => throw null!;

        public ConfigurationManager Configuration => throw null!;

        public ILoggingBuilder Logging => throw null!;

        public IServiceCollection Services => throw null!;

        public IHost Build() => throw null!;
    }
}
