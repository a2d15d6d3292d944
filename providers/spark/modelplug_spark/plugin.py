"""What the core learns of Spark before it needs any of it: imports no client, no library."""

from __future__ import annotations

from modelplug import Backend, hookimpl
from modelplug_spark.models import COMMON, MODELS
from modelplug_spark.options import SparkOptions


@hookimpl
def modelplug_backend(name: str) -> Backend | None:
    """Spark, if it is what ``name`` asks for."""
    if name != "spark":
        return None
    return Backend(
        name="spark",
        summary="iFlytek Spark over its signed WebSocket",
        contract=1,
        client="modelplug_spark.client:SparkLLMClient",
        harness="modelplug_spark.harness:HARNESS",
        emulator="modelplug_spark.emulator:SparkEmulator",
        options=SparkOptions,
        models=[model.metadata for model in MODELS],
        capabilities=COMMON,
        environment={
            "proxy_api_app_id": "XUNFEI_SPARK_APPID",
            "proxy_api_key": "XUNFEI_SPARK_API_KEY",
            "proxy_api_secret": "XUNFEI_SPARK_API_SECRET",
            "proxy_api_version": "XUNFEI_SPARK_API_VERSION",
            "proxy_api_base": "XUNFEI_SPARK_API_BASE",
        },
        required=("proxy_api_app_id", "proxy_api_key", "proxy_api_secret"),
        home_page="https://www.xfyun.cn/doc/spark/Web.html",
    )
